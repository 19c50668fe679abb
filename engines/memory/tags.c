/* tags.c - the records of tags in a shard, and the entries under them. */
#include "engines/memory/names.h"
#include "engines/memory/shard.h"

#define GROUP_OF_NODE(n) LIST_OWNER(n, struct group, node)

struct group_name {
    size_t len;
    char text[1 + STORE_NAMESPACE_MAX + ENGINE_TAG_BYTES_MAX];
};

static uint64_t name_group(const struct shard *shard, struct group_name *name, struct bytes ns, struct bytes tag)
{
    name->text[0] = (char)ns.len;
    if (ns.len > 0)
        memcpy(name->text + 1, ns.ptr, ns.len);
    if (tag.len > 0)
        memcpy(name->text + 1 + ns.len, tag.ptr, tag.len);
    name->len = 1 + ns.len + tag.len;
    return name_hash(shard->hash_key, name->text, name->len);
}

static struct group *find_group(struct shard *shard, const struct group_name *name, uint64_t hash)
{
    struct table_node *node;

    for (node = table_first(&shard->groups, hash); node; node = table_next(node)) {
        struct group *group = GROUP_OF_NODE(node);
        if (!group->flushed && bytes_equal(bytes_of(group->name, group->name_len), bytes_of(name->text, name->len)))
            return group;
    }
    return NULL;
}

static void free_if_empty(struct shard *shard, struct group *group)
{
    if (group->members.count + group->members.pinned > 0)
        return;
    table_remove(&shard->groups, &group->node);
    if (group->flushed)
        list_remove(&group->link);
    vector_release(&group->members);
    budget_free(shard->budget, group);
}

static struct group *make_group(struct shard *shard, const struct group_name *name, uint64_t hash)
{
    struct group *group;

    if (!table_reserve(&shard->groups))
        return NULL;
    group = budget_alloc(shard->budget, sizeof *group + name->len);
    if (!group)
        return NULL;
    vector_init(&group->members, shard->budget);
    group->flushed = false;
    group->name_len = (uint16_t)name->len;
    memcpy(group->name, name->text, name->len);
    group->node.hash = hash;
    table_insert(&shard->groups, &group->node);
    return group;
}

struct group *group_pin_locked(struct shard *shard, struct bytes ns, struct bytes tag)
{
    struct group_name name;
    uint64_t hash = name_group(shard, &name, ns, tag);
    struct group *group = find_group(shard, &name, hash);

    if (!group)
        group = make_group(shard, &name, hash);
    if (!group)
        return NULL;
    if (!vector_reserve(&group->members)) {
        free_if_empty(shard, group);
        return NULL;
    }
    group->members.pinned++;
    return group;
}

void group_unpin_locked(struct shard *shard, struct group *group)
{
    group->members.pinned--;
    free_if_empty(shard, group);
}

void groups_join_locked(struct entry *entry)
{
    struct extra *extra = entry->extra;

    for (uint32_t i = 0; i < extra->tag_count; i++) {
        struct vector *members = &extra->tags[i].group->members;
        members->pinned--;
        extra->tags[i].place = vector_push(members, entry);
    }
}

/* The member that was moved to `to` has its place in one of its tags. */
static void note_move(struct entry *moved, const struct group *group, size_t from, size_t to)
{
    for (uint32_t i = 0; i < moved->extra->tag_count; i++)
        if (moved->extra->tags[i].group == group && moved->extra->tags[i].place == from)
            moved->extra->tags[i].place = to;
}

void groups_leave_locked(struct shard *shard, struct extra *extra)
{
    while (extra->tag_count > 0) {
        struct membership *last = &extra->tags[extra->tag_count - 1];
        struct group *group = last->group;
        struct entry *moved = vector_take(&group->members, last->place);
        if (moved)
            note_move(moved, group, group->members.count, last->place);
        extra->tag_count--;
        free_if_empty(shard, group);
    }
}

bool groups_stand(const struct extra *extra)
{
    for (uint32_t i = 0; i < extra->tag_count; i++)
        if (extra->tags[i].group->flushed)
            return false;
    return true;
}

void shard_flush_tag_locked(struct shard *shard, struct bytes ns, struct bytes tag)
{
    struct group_name name;
    uint64_t hash = name_group(shard, &name, ns, tag);
    struct group *group = find_group(shard, &name, hash);

    if (!group)
        return;
    group->flushed = true;
    list_push_front(&shard->flushed_groups, &group->link);
}
