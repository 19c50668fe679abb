#include "engines/redis/script.h"

#include "engines/redis/list.h"
#include "engines/redis/primitive.h"
#include "engines/redis/script_lib.h"

#define ENTRY "local e = {name = KEYS[1], ns = KEYS[2], all = KEYS[3]}\n"

/* What PUT and PUT_MANY do about an old record whose generations stand but which is not plain; what such a one rarely
 * is. Known are `key`, `old`, `ns` and `all`, and `n`, which is 0. While the slot is being moved the tags may be out of
 * reach: then the record counts as standing, so that no fence is forgotten. */
#define HEED \
    LIB_BASE \
    LIB_TAGS \
    LIB_UNINDEX \
    "  local e, flags = {name = key, ns = ns, all = all}, byte(old, 5)\n" \
    "  local stop = sub(old, 57, 64) ~= NONE and u64(old, 33) or 0\n" \
    "  if flags >= 4 then unindex(e) end\n" \
    "  local known, stand = true, true\n" \
    "  if flags % 4 >= 2 then known, stand = pcall(tags_stand, e, old) end\n" \
    "  if flags % 2 == 1 or (stop > 0 and stop <= now()) or (known and not stand) then\n" \
    "    n = 1\n" \
    "  elseif sub(old, 49, 56) ~= NONE then\n" \
    "    call('SETRANGE', key, '48', sub(old, 49, 56))\n" \
    "  end\n"

#define PLAIN_TAIL "'\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'"

/* `n` and `plain` by what stood: nothing, ours, flushed, another client's. */
#define COMPARE \
    "if old then\n" \
    "  if " LUA_GENERATIONS("old") " == stands then\n" \
    "    n = 0\n" \
    "    plain = sub(old, 5, 5) == '\\0' and sub(old, 49, 64) == " PLAIN_TAIL "\n" \
    "  elseif #old < " LUA_HEADER " or sub(old, 1, 4) ~= '" LUA_MAGIC "' then\n" \
    "    n = 0\n" \
    "  end\n" \
    "end\n"

/* The most frequent of all, so with the fewest calls: each costs as much as a command. Where values are large,
 * copying the old one would cost more. */
static const char PUT[] =
    "local call, sub, old = redis.call, string.sub\n"
    "local key, ns, all = KEYS[1], KEYS[2], KEYS[3]\n"
    "local g = call('MGET', ns, all)\n"
    "for i = 1, 2 do\n"
    "  if not g[i] then\n"
    "    g[i] = sub(ARGV[1], 9, 16)\n"
    "    local r = redis.pcall('SET', KEYS[i + 1], g[i])\n"
    "    if r.err then return r end\n"
    "  end\n"
    "end\n"
    "local stands = g[1] .. g[2]\n"
    "if #ARGV[1] > 4096 then\n"
    "  old = call('GETRANGE', key, '0', '2670')\n"
    "  if old == '' and call('EXISTS', key) == 0 then old = false end\n"
    "  if ARGV[2] == '0' then\n"
    "    call('SET', key, ARGV[1])\n"
    "  else\n"
    "    call('SET', key, ARGV[1], 'PX', ARGV[2])\n"
    "  end\n"
    "elseif ARGV[2] == '0' then\n"
    "  old = call('SET', key, ARGV[1], 'GET')\n"
    "else\n"
    "  old = call('SET', key, ARGV[1], 'PX', ARGV[2], 'GET')\n"
    "end\n"
    "local n, plain = 1, true\n"
    COMPARE
    "if stands ~= ARGV[3] then call('SETRANGE', key, '16', stands) end\n"
    "if not plain then\n"
    HEED
    "end\n"
    "if stands == ARGV[3] then return n end\n"
    "return {n, stands}\n";

/* Entry by entry as PUT, but for large ones. What refuses one of them (another type, no memory) is that one's
 * answer. */
static const char PUT_MANY[] =
    "local call, try, sub = redis.call, redis.pcall, string.sub\n"
    "local ns, all, codes, result = KEYS[1], KEYS[2], {}, {'', ''}\n"
    "local g = call('MGET', ns, all)\n"
    "for i = 1, 2 do\n"
    "  if not g[i] then\n"
    "    g[i] = sub(ARGV[2], 9, 16)\n"
    "    local r = try('SET', KEYS[i], g[i])\n"
    "    if r.err then return r end\n"
    "  end\n"
    "end\n"
    "local stands = g[1] .. g[2]\n"
    "local wrong = stands ~= ARGV[1]\n"
    "if wrong then result[2] = stands end\n"
    "local at = 2\n"
    "for i = 3, #KEYS do\n"
    "  local key, record, px, old = KEYS[i], ARGV[at], ARGV[at + 1]\n"
    "  at = at + 2\n"
    "  if wrong then record = sub(record, 1, 16) .. stands .. sub(record, 33) end\n"
    "  if px == '0' then\n"
    "    old = try('SET', key, record, 'GET')\n"
    "  else\n"
    "    old = try('SET', key, record, 'PX', px, 'GET')\n"
    "  end\n"
    "  local n, plain = 1, true\n"
    "  if type(old) == 'table' then\n"
    "    n = 'E'\n"
    "    result[#result + 1] = old\n"
    "    old = false\n"
    "  end\n"
    COMPARE
    "  if not plain then\n"
    HEED
    "  end\n"
    "  codes[i - 2] = n\n"
    "end\n"
    "result[1] = table.concat(codes)\n"
    "return result\n";

/* Conditions alone, on nothing or on a plain entry: without the functions below, which cost more than the commands. */
#define PUT_IF_PLAIN \
    "if ARGV[6] == '' and ARGV[7] == '' and ARGV[8] == '' and string.byte(ARGV[1], 5) == 0 then\n" \
    "  local call, sub, key, v, plain = redis.call, string.sub, KEYS[1], nil, true\n" \
    "  local g, old = call('MGET', KEYS[2], KEYS[3]), call('GETRANGE', key, '0', '" LUA_HEADER_LAST "')\n" \
    "  local stands = g[1] and g[2] and g[1] .. g[2]\n" \
    "  if #old == " LUA_HEADER " and sub(old, 1, 5) == '" LUA_MAGIC "\\0' then\n" \
    "    if " LUA_GENERATIONS("old") " == stands then\n" \
    "      v = sub(old, 9, 16)\n" \
    "      plain = sub(old, 49, 72) == " PLAIN_TAIL " .. '\\0\\0\\0\\0\\0\\0\\0\\0'\n" \
    "    end\n" \
    "  else\n" \
    "    plain = old == '' and call('EXISTS', key) == 0\n" \
    "  end\n" \
    "  if plain then\n" \
    "    local function named(list)\n" \
    "      if not v then return false end\n" \
    "      if list == '*' then return true end\n" \
    "      for i = 2, #list, 8 do\n" \
    "        if sub(list, i, i + 7) == v then return true end\n" \
    "      end\n" \
    "      return false\n" \
    "    end\n" \
    "    if (ARGV[4] ~= '' and not named(ARGV[4])) or (ARGV[5] ~= '' and named(ARGV[5])) then\n" \
    "      return {2, v or ''}\n" \
    "    end\n" \
    "    for i = 1, 2 do\n" \
    "      if not g[i] then\n" \
    "        g[i] = sub(ARGV[1], 9, 16)\n" \
    "        call('SET', KEYS[i + 1], g[i])\n" \
    "      end\n" \
    "    end\n" \
    "    stands = g[1] .. g[2]\n" \
    "    if ARGV[2] == '0' then call('SET', key, ARGV[1]) else call('SET', key, ARGV[1], 'PX', ARGV[2]) end\n" \
    "    local n = v and 0 or 1\n" \
    "    if stands == ARGV[3] then return n end\n" \
    "    call('SETRANGE', key, '16', stands)\n" \
    "    return {n, stands}\n" \
    "  end\n" \
    "end\n"

static const char PUT_IF[] =
    PUT_IF_PLAIN
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    LIB_JUDGE
    LIB_OUTLIVE
    LIB_GENERATIONS
    LIB_INDEX
    LIB_PUT
    ENTRY
    "return find(e) or judge(e, ARGV[4], ARGV[5], ARGV[6], ARGV[7]) or\n"
    "  put(e, ARGV[1], ARGV[2], ARGV[3], ARGV[8], ARGV[9])\n";

static const char READ[] =
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    LIB_GENERATIONS
    LIB_READ
    ENTRY
    "local fault = find(e, ARGV[1] == '1')\n"
    /* As MGET has it: another type is nothing. */
    "if fault and ARGV[2] == '0' and string.find(fault.err, 'WRONGTYPE', 1, true) then return false end\n"
    "return fault or read(e, tonumber(ARGV[2]), ARGV[3])\n";

static const char DELETE[] =
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    LIB_JUDGE
    LIB_DELETE
    ENTRY
    "return find(e) or judge(e, ARGV[1], ARGV[2]) or delete(e)\n";

static const char TOUCH[] =
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    LIB_JUDGE
    LIB_OUTLIVE
    LIB_TOUCH
    ENTRY
    "return find(e) or judge(e, ARGV[2], ARGV[3]) or touch(e, tonumber(ARGV[1]))\n";

/* The plain ones, which most are, without the functions below. */
#define REAP_PLAIN \
    "local call, try, sub = redis.call, redis.pcall, string.sub\n" \
    "local g, gone, rest = call('MGET', KEYS[1], KEYS[2]), {}, {}\n" \
    "local stands = g[1] and g[2] and g[1] .. g[2]\n" \
    "for i = 3, #KEYS do\n" \
    "  local h = try('GETRANGE', KEYS[i], '0', '" LUA_HEADER_LAST "')\n" \
    "  if type(h) == 'table' then\n" \
    "    rest[#rest + 1] = KEYS[i]\n" \
    "  elseif #h == " LUA_HEADER " and sub(h, 1, 4) == '" LUA_MAGIC "' then\n" \
    "    if string.byte(h, 5) ~= 0 then\n" \
    "      rest[#rest + 1] = KEYS[i]\n" \
    "    elseif " LUA_GENERATIONS("h") " ~= stands then\n" \
    "      gone[#gone + 1] = KEYS[i]\n" \
    "    end\n" \
    "  end\n" \
    "end\n" \
    "local n = #gone > 0 and call('UNLINK', unpack(gone)) or 0\n" \
    "if #rest == 0 then return n end\n"

static const char REAP[] =
    REAP_PLAIN
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    "for i = 1, #rest do\n"
    "  local e = {name = rest[i], ns = KEYS[1], all = KEYS[2], g = g}\n"
    /* The lengths of an index: its ends go with it. */
    "  if sub(e.name, 1, #e.all) == sub(e.all, 1, -5) .. 'len:' then\n"
    "    local meta = try('HGET', e.name, '')\n"
    "    if type(meta) ~= 'table' and not (meta and stands and sub(meta, 1, 16) == stands) then\n"
    "      n = n + call('UNLINK', e.name, names(e).ends)\n"
    "    end\n"
    "  elseif not find(e) and e.there and not e.v and not e.ours then\n"
    "    drop(e)\n"
    "    n = n + 1\n"
    "  end\n"
    "end\n"
    "return n\n";

/* First all are judged, each in view of what those before it would leave (its version, fence and lease), then all
 * are done. Redis refuses for want of memory only before the first write, and what is of another type was found
 * when judging: so what fails here fails as a whole. */
static const char ATOMIC[] =
    LIB_BASE
    LIB_TAGS
    LIB_UNINDEX
    LIB_FIND
    LIB_JUDGE
    LIB_OUTLIVE
    LIB_GENERATIONS
    LIB_INDEX
    LIB_PUT
    LIB_READ
    LIB_TOUCH
    LIB_DELETE
    "local width = {G = 4, P = 10, D = 3, T = 4, X = 1}\n"
    "local function look(e)\n"
    "  local fault = find(e)\n"
    "  if not fault then e.left = {v = e.v, fence = e.fence, lease = e.lease} end\n"
    "  return fault\n"
    "end\n"
    "local function foresee(kind, left, at)\n"
    "  if kind == 'P' then\n"
    "    local fence = sub(ARGV[at + 1], 49, 56)\n"
    "    if below(left.fence, fence) then left.fence = fence end\n"
    "    left.v, left.lease = sub(ARGV[at + 1], 9, 16), NONE\n"
    "  elseif kind == 'D' then\n"
    "    left.v, left.fence, left.lease = nil, NONE, NONE\n"
    "  elseif kind == 'T' and left.v then\n"
    "    left.lease = NONE\n"
    "  elseif kind == 'G' and ARGV[at + 2] ~= '0' and not left.v and left.lease == NONE then\n"
    "    left.lease = ARGV[at + 3]\n"
    "  end\n"
    "end\n"
    "local function judge_one(kind, left, at)\n"
    "  if kind == 'X' then return {5, ''} end\n"
    "  if kind == 'P' then return judge(left, ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]) end\n"
    "  if kind == 'D' then return judge(left, ARGV[at + 1], ARGV[at + 2]) end\n"
    "  if kind == 'T' then return judge(left, ARGV[at + 2], ARGV[at + 3]) end\n"
    "end\n"
    "local function carry_out(e, kind, at)\n"
    "  if kind == 'P' then\n"
    "    return put(e, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 8], ARGV[at + 9])\n"
    "  end\n"
    "  if kind == 'D' then return delete(e) end\n"
    "  if kind == 'T' then return touch(e, tonumber(ARGV[at + 1])) end\n"
    "  return read(e, tonumber(ARGV[at + 2]), ARGV[at + 3])\n"
    "end\n"
    "local places, generations, list, bounded, at = {}, {}, {}, false, 1\n"
    "for i = 1, (#KEYS - 1) / 2 do\n"
    "  local name, ns, kind = KEYS[2 * i], KEYS[2 * i + 1], ARGV[at]\n"
    "  local e = places[name]\n"
    "  if not e then\n"
    "    generations[ns] = generations[ns] or call('MGET', ns, KEYS[1])\n"
    "    e = {name = name, ns = ns, all = KEYS[1], g = generations[ns]}\n"
    "    places[name] = e\n"
    "    local fault = look(e)\n"
    "    if fault then return {-1, i - 1, fault} end\n"
    "  end\n"
    "  local refused = judge_one(kind, e.left, at)\n"
    "  if refused then return {-1, i - 1, refused} end\n"
    "  foresee(kind, e.left, at)\n"
    "  list[i] = {e, kind, at}\n"
    "  bounded = bounded or (kind == 'P' and ARGV[at + 8] ~= '')\n"
    "  at = at + width[kind]\n"
    "end\n"
    "local results, all = {}, nil\n"
    "for i = 1, #list do\n"
    "  local e, kind, from = unpack(list[i])\n"
    /* What was found is still so, unless an operation of this step came upon it, or may have evicted it. */
    "  if e.changed or bounded or kind == 'G' then find(e, kind == 'G' and ARGV[from + 1] == '1') end\n"
    "  e.changed = true\n"
    /* Another namespace's write may have made it. */
    "  e.g[2] = e.g[2] or all\n"
    "  local r = carry_out(e, kind, from)\n"
    "  all = all or e.g[2]\n"
    "  if type(r) == 'table' and r.err then return {-1, i - 1, r} end\n"
    "  results[i] = r\n"
    "end\n"
    "return results\n";

const char *redis_script_text(enum redis_script script)
{
    static const char *const texts[SCRIPTS] = {
        [SCRIPT_PUT] = PUT,
        [SCRIPT_PUT_MANY] = PUT_MANY,
        [SCRIPT_PUT_IF] = PUT_IF,
        [SCRIPT_READ] = READ,
        [SCRIPT_DELETE] = DELETE,
        [SCRIPT_TOUCH] = TOUCH,
        [SCRIPT_REAP] = REAP,
        [SCRIPT_ATOMIC] = ATOMIC,
    };

    if (script == SCRIPT_LIST)
        return redis_list_script_text();
    return texts[script] ? texts[script] : redis_primitive_script_text(script);
}
