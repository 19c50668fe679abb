#include "engines/memory/segments.h"

#define DIRECTORY_FIRST 4

void segments_init(struct segments *segments, struct budget *budget, size_t element_bytes)
{
    *segments = (struct segments){ .budget = budget, .element_bytes = element_bytes };
}

void segments_release(struct segments *segments)
{
    segments_trim(segments, 0);
    budget_free(segments->budget, segments->directory);
    segments->directory = NULL;
    segments->directory_room = 0;
}

static bool grow_directory(struct segments *segments)
{
    size_t room = segments->directory_room ? segments->directory_room * 2 : DIRECTORY_FIRST;
    void **directory = budget_alloc(segments->budget, room * sizeof *directory);

    if (!directory)
        return false;
    if (segments->count > 0)
        memcpy(directory, segments->directory, segments->count * sizeof *directory);
    budget_free(segments->budget, segments->directory);
    segments->directory = directory;
    segments->directory_room = room;
    return true;
}

bool segments_reserve(struct segments *segments, size_t elements)
{
    while (segments_room(segments) < elements) {
        size_t bytes = SEGMENT_LENGTH * segments->element_bytes;
        void *segment;

        if (segments->count == segments->directory_room && !grow_directory(segments))
            return false;
        segment = budget_alloc(segments->budget, bytes);
        if (!segment)
            return false;
        memset(segment, 0, bytes);
        segments->directory[segments->count++] = segment;
    }
    return true;
}

void segments_trim(struct segments *segments, size_t elements)
{
    while (segments->count > 0 && segments_room(segments) - SEGMENT_LENGTH >= elements)
        budget_free(segments->budget, segments->directory[--segments->count]);
}
