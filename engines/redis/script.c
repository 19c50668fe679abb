#include "engines/redis/script.h"

/* What stands: `h` the header or what is there of it, `g` the generations, `v`
 * the version of the entry or nil, `ours` whether it has our header. An entry
 * of an older generation does not stand. */
#define FIND                                                                                      \
    "local h = redis.pcall('GETRANGE', KEYS[1], 0, 55)\n"                                         \
    "if type(h) == 'table' then return h end\n"                                                   \
    "local g = redis.call('MGET', KEYS[2], KEYS[3])\n"                                            \
    "local v, ours\n"                                                                             \
    "if #h == 56 and string.sub(h, 1, 4) == '\\157Cb\\1' then\n"                                  \
    "  if g[1] and g[2] and string.sub(h, 17, 32) == g[1] .. g[2] then\n"                         \
    "    v = string.sub(h, 9, 16)\n"                                                              \
    "    ours = true\n"                                                                           \
    "  end\n"                                                                                     \
    "elseif h ~= '' or redis.call('EXISTS', KEYS[1]) == 1 then\n"                                 \
    "  local digest = redis.sha1hex(redis.call('GET', KEYS[1]))\n"                                \
    "  v = string.gsub(string.sub(digest, 1, 16), '%x%x',\n"                                      \
    "    function(pair) return string.char(tonumber(pair, 16)) end)\n"                            \
    "end\n"

#define CONDITIONS                                                                                \
    "local function named(list)\n"                                                                \
    "  if not v then return false end\n"                                                          \
    "  if list == '*' then return true end\n"                                                     \
    "  for i = 2, #list, 8 do\n"                                                                  \
    "    if string.sub(list, i, i + 7) == v then return true end\n"                               \
    "  end\n"                                                                                     \
    "  return false\n"                                                                            \
    "end\n"                                                                                       \
    "local function refused(match, none)\n"                                                       \
    "  return (match ~= '' and not named(match)) or (none ~= '' and named(none))\n"               \
    "end\n"

#define LENGTH "(ours and redis.call('STRLEN', KEYS[1]) - 56 - string.byte(h, 6) or redis.call('STRLEN', KEYS[1]))"

#define NOW                                                                                       \
    "local function now()\n"                                                                      \
    "  local t = redis.call('TIME')\n"                                                            \
    "  return t[1] * 1000 + math.floor(t[2] / 1000)\n"                                            \
    "end\n"

/* The generations that hold, as `stands`; those that are not there are made
 * from the entry's version, which is as good a random number as any. */
#define GENERATIONS                                                                               \
    "for i = 1, 2 do\n"                                                                           \
    "  if not g[i] then\n"                                                                        \
    "    g[i] = string.sub(ARGV[1], 9, 16)\n"                                                     \
    "    local r = redis.pcall('SET', KEYS[i + 1], g[i])\n"                                       \
    "    if r.err then return r end\n"                                                            \
    "  end\n"                                                                                     \
    "end\n"                                                                                       \
    "local stands = g[1] .. g[2]\n"

/* The header was written with a guess. */
#define CORRECT                                                                                   \
    "if stands == ARGV[3] then return n end\n"                                                    \
    "redis.call('SETRANGE', KEYS[1], 16, stands)\n"                                               \
    "return {n, stands}\n"

/* The most frequent of all, so with the fewest calls: each costs as much as a
 * command. Where values are large, copying the old one would cost more. */
static const char PUT[] =
    "local call, old = redis.call\n"
    "local g = call('MGET', KEYS[2], KEYS[3])\n"
    GENERATIONS
    "if #ARGV[1] > 4096 then\n"
    "  old = call('GETRANGE', KEYS[1], 0, 55)\n"
    "  if old == '' and call('EXISTS', KEYS[1]) == 0 then old = false end\n"
    "  if ARGV[2] == '0' then\n"
    "    call('SET', KEYS[1], ARGV[1])\n"
    "  else\n"
    "    call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
    "  end\n"
    "elseif ARGV[2] == '0' then\n"
    "  old = call('SET', KEYS[1], ARGV[1], 'GET')\n"
    "else\n"
    "  old = call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'GET')\n"
    "end\n"
    "local n = 1\n"
    "if old and (string.sub(old, 17, 32) == stands or #old < 56 or string.sub(old, 1, 4) ~= '\\157Cb\\1') then\n"
    "  n = 0\n"
    "end\n"
    CORRECT;

static const char PUT_IF[] =
    FIND
    CONDITIONS
    "if refused(ARGV[4], ARGV[5]) then return {2, v or ''} end\n"
    GENERATIONS
    "local r\n"
    "if ARGV[2] == '0' then\n"
    "  r = redis.pcall('SET', KEYS[1], ARGV[1])\n"
    "else\n"
    "  r = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
    "end\n"
    "if r.err then return r end\n"
    "local n = v and 0 or 1\n"
    CORRECT;

static const char READ[] =
    FIND
    NOW
    "if not v then\n"
    "  if h ~= '' then redis.pcall('UNLINK', KEYS[1]) end\n" /* flushed: reclaim it */
    "  return false\n"
    "end\n"
    "local ttl = redis.call('PTTL', KEYS[1])\n"
    "local idle = ours and struct.unpack('>I8', h, 41) or 0\n"
    "if idle > 0 then\n"
    "  local hard = struct.unpack('>I8', h, 33)\n"
    "  local px = hard > 0 and math.min(idle, hard - now()) or idle\n"
    "  if px > ttl then\n"
    "    local r = redis.pcall('PEXPIRE', KEYS[1], px)\n"
    "    if type(r) == 'table' then return r end\n"
    "    ttl = px\n"
    "  end\n"
    "end\n"
    "return {v, ttl, idle, " LENGTH ", ARGV[1] == '1' and redis.call('GET', KEYS[1]) or ''}\n";

static const char DELETE[] =
    FIND
    CONDITIONS
    "if refused(ARGV[1], ARGV[2]) then return {2, v or ''} end\n"
    "if h ~= '' or v then\n"
    "  local r = redis.pcall('UNLINK', KEYS[1])\n"
    "  if type(r) == 'table' then return r end\n"
    "end\n"
    "return v and 0 or 1\n";

static const char TOUCH[] =
    FIND
    CONDITIONS
    NOW
    "if refused(ARGV[2], ARGV[3]) then return {2, v or ''} end\n"
    "if not v then return 1 end\n"
    "local ttl = tonumber(ARGV[1])\n"
    "local idle = ours and struct.unpack('>I8', h, 41) or 0\n"
    "local px = ttl\n"
    "if idle > 0 and (ttl == 0 or idle < ttl) then px = idle end\n"
    "local r\n"
    "if px == 0 then\n"
    "  r = redis.pcall('PERSIST', KEYS[1])\n"
    "else\n"
    "  r = redis.pcall('PEXPIRE', KEYS[1], px)\n"
    "end\n"
    "if type(r) == 'table' then return r end\n"
    "if ours then\n"
    "  redis.call('SETRANGE', KEYS[1], 32, struct.pack('>I8', ttl > 0 and now() + ttl or 0))\n"
    "end\n"
    "return {0, v, redis.call('PTTL', KEYS[1]), idle, " LENGTH "}\n";

static const char REAP[] =
    FIND
    "if v or h == '' then return 0 end\n"
    "return redis.call('UNLINK', KEYS[1])\n";

const char *redis_script_text(enum redis_script script)
{
    switch (script) {
    case SCRIPT_PUT:
        return PUT;
    case SCRIPT_PUT_IF:
        return PUT_IF;
    case SCRIPT_READ:
        return READ;
    case SCRIPT_DELETE:
        return DELETE;
    case SCRIPT_REAP:
        return REAP;
    case SCRIPT_TOUCH:
    default:
        return TOUCH;
    }
}
