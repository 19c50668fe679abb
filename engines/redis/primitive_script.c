/* primitive_script.c - counters, limits and locks as scripts of one key.
 *
 * The same answers as engines/primitives/counter.h, limit.h and lock.h give, by
 * Redis' own clock. Numbers in Lua are doubles: times, fences and debts stay below
 * 2^53 and are exact; a counter's 64 bits are not, so beyond 2^52 its numbers
 * are left to INCRBY and compared as decimal text. */
#include "engines/redis/primitive.h"

/* ARGV: by, initial + by or "" where that is no number or out of bounds, ttl in
 * ms or "0", min, max. Without any: reads.
 *   {0 | 1 created | 2 bound, value or "", PTTL}; reading: nil | {0, value, PTTL} */
static const char COUNTER[] =
    "local call, key = redis.call, KEYS[1]\n"
    "local old = call('GET', key)\n"
    "if #ARGV == 0 then return old and {0, old, call('PTTL', key)} end\n"
    "if not old then\n"
    "  if ARGV[2] == '' then return {2, '', -1} end\n"
    "  if ARGV[3] == '0' then\n"
    "    call('SET', key, ARGV[2])\n"
    "    return {1, ARGV[2], -1}\n"
    "  end\n"
    "  call('SET', key, ARGV[2], 'PX', ARGV[3])\n"
    "  return {1, ARGV[2], tonumber(ARGV[3])}\n"
    "end\n"
    "local ttl = call('PTTL', key)\n"
    "local was, by = tonumber(old), tonumber(ARGV[1])\n"
    "if was and was < 4503599627370496 and was > -4503599627370496\n"
    "   and by < 4503599627370496 and by > -4503599627370496 then\n"
    "  if was + by < tonumber(ARGV[4]) or was + by > tonumber(ARGV[5]) then return {2, old, ttl} end\n"
    "  return {0, call('INCRBY', key, ARGV[1]), ttl}\n"
    "end\n"
    "local r = redis.pcall('INCRBY', key, ARGV[1])\n"
    "if type(r) == 'table' then\n"
    "  if string.find(r.err, 'would overflow', 1, true) then return {2, old, ttl} end\n"
    "  return r\n"
    "end\n"
    "local function below(a, b)\n"
    "  local x, y = string.byte(a) == 45, string.byte(b) == 45\n"
    "  if x ~= y then return x end\n"
    "  if x then a, b = string.sub(b, 2), string.sub(a, 2) end\n"
    "  if #a ~= #b then return #a < #b end\n"
    "  return a < b\n"
    "end\n"
    "local new = call('GET', key)\n"
    "if below(new, ARGV[4]) or below(ARGV[5], new) then\n"
    "  call('SET', key, old, 'KEEPTTL')\n"
    "  return {2, old, ttl}\n"
    "end\n"
    "return {0, new, ttl}\n";

/* `r` is the record if it is of this algorithm and window, whose six bytes are
 * `head`; `now` and `window` are in microseconds. A key may outlive what its
 * record says by a fifteenth of the window: only then can a record be patched,
 * which costs less than to replace it and set its end. Small offsets are text,
 * since Redis formats a number of Lua's as a double. */
#define LIMIT_BEGIN                                                                               \
    "local call, ceil, pack, unpack = redis.call, math.ceil, struct.pack, struct.unpack\n"        \
    "local key, head = KEYS[1], ARGV[1]\n"                                                        \
    "local kind, window = unpack('>BI4', head, 2)\n"                                              \
    "local limit, cost = unpack('>I4I4', ARGV[2])\n"                                              \
    "if limit == 0 then return {err = 'ERR out of bounds'} end\n"                                 \
    "window = window * 1000\n"                                                                    \
    "local t, r = call('TIME'), call('GET', key)\n"                                               \
    "local now = t[1] * 1000000 + t[2]\n"                                                         \
    "if r and string.sub(r, 1, 6) ~= head then\n"                                                 \
    "  if #r < 6 or string.byte(r) ~= 82 then return {err = 'ERR a damaged rate limit'} end\n"    \
    "  r = false\n"                                                                               \
    "end\n"                                                                                       \
    "local used, reset, retry = 0, 0, 0\n"

#define LIMIT_FIXED                                                                               \
    "if kind == 0 then\n"                                                                         \
    "  local start = now\n"                                                                       \
    "  if r then\n"                                                                               \
    "    local s, u = unpack('>I8I4', r, 7)\n"                                                    \
    "    if #r ~= 18 or s >= 9007199254740992 or u > 1000000000 then\n"                           \
    "      return {err = 'ERR a damaged rate limit'}\n"                                           \
    "    end\n"                                                                                   \
    "    if s - now > window or now - s >= window then\n"                                         \
    "      r = false\n"                                                                           \
    "    else\n"                                                                                  \
    "      if s > now then now = s end\n"                                                         \
    "      start, used = s, u\n"                                                                  \
    "    end\n"                                                                                   \
    "  end\n"                                                                                     \
    "  reset = start + window - now\n"                                                            \
    "  if used + cost > limit and cost > 0 then\n"                                                \
    "    retry = reset\n"                                                                         \
    "  elseif cost > 0 then\n"                                                                    \
    "    used = used + cost\n"                                                                    \
    "    if r then\n"                                                                             \
    "      call('SETRANGE', key, '14', pack('>I4', used))\n"                                      \
    "    else\n"                                                                                  \
    "      call('SET', key, head .. pack('>I8I4', start, used), 'PXAT', ceil((start + window) / 1000))\n" \
    "    end\n"                                                                                   \
    "  elseif not r then\n"                                                                       \
    "    reset = 0\n"                                                                             \
    "  end\n"

/* The log is g: the last group's first grant, then for each group the last one
 * and the count; those before `i` have left. They stay in the record until a
 * new group is begun. */
#define LIMIT_SLIDING                                                                             \
    "elseif kind == 1 then\n"                                                                     \
    "  local g, n, i = nil, 0, 2\n"                                                               \
    "  if r then\n"                                                                               \
    "    n = string.byte(r, 7)\n"                                                                 \
    "    if not n or n < 1 or n > 16 or #r ~= 15 + 12 * n then return {err = 'ERR a damaged rate limit'} end\n" \
    "    g = {unpack('>I8' .. string.rep('I8I4', n), r, 8)}\n"                                    \
    "    local newest = g[2 * n]\n"                                                               \
    "    if newest >= 9007199254740992 or g[1] > newest then return {err = 'ERR a damaged rate limit'} end\n" \
    "    if newest - now > window then n = 0 elseif newest > now then now = newest end\n"         \
    "    while i <= 2 * n and now - g[i] >= window do i = i + 2 end\n"                            \
    "    for j = i, 2 * n, 2 do used = used + g[j + 1] end\n"                                     \
    "  end\n"                                                                                     \
    "  if used > 0 then reset = g[2 * n] + window - now end\n"                                    \
    "  if cost > 0 and used + cost <= limit then\n"                                               \
    "    if used > 0 and now - g[1] < ceil(window / 15) then\n"                                   \
    "      call('SETRANGE', key, n == 1 and '15' or 3 + 12 * n, pack('>I8I4', now, g[2 * n + 1] + cost))\n" \
    "    else\n"                                                                                  \
    "      local kept = n - i / 2 + 1\n"                                                          \
    "      call('SET', key, head .. pack('>BI8', kept + 1, now)\n"                                \
    "        .. (kept > 0 and string.sub(r, -12 * kept) or '') .. pack('>I8I4', now, cost), 'PXAT', ceil((now + window + ceil(window / 15)) / 1000))\n" \
    "    end\n"                                                                                   \
    "    used, reset = used + cost, window\n"                                                     \
    "  elseif cost > 0 then\n"                                                                    \
    "    local rest, j = used, i\n"                                                               \
    "    repeat\n"                                                                                \
    "      rest, j = rest - g[j + 1], j + 2\n"                                                    \
    "    until rest + cost <= limit or j > 2 * n\n"                                               \
    "    retry = g[j - 2] + window - now\n"                                                       \
    "  end\n"

/* Sums that could pass 2^53 are compared as differences. A record's key ends
 * with that fifteenth of the window, counted from the epoch, in which its debt
 * does: `slot` of the record, which the new one may share. */
#define LIMIT_BUCKET                                                                              \
    "else\n"                                                                                      \
    "  local S, T = unpack('>I8I8', ARGV[2], 9)\n"                                                \
    "  local B, debt, changed, step, slot = limit * T, 0, false, ceil(window / 15), nil\n"        \
    "  if r then\n"                                                                               \
    "    if #r ~= 26 then return {err = 'ERR a damaged rate limit'} end\n"                        \
    "    local at, owed, had = unpack('>I8I8I4', r, 7)\n"                                         \
    "    if had < 1 or had > 1000000000 or at >= 9007199254740992 or owed >= 9007199254740992 then\n" \
    "      return {err = 'ERR a damaged rate limit'}\n"                                           \
    "    end\n"                                                                                   \
    "    slot = ceil((at + ceil(owed / S)) / step)\n"                                             \
    "    if at - now <= window then\n"                                                            \
    "      if at > now then now = at end\n"                                                       \
    "      debt = owed - (now - at) * S\n"                                                        \
    "      if debt < 0 then debt = 0 end\n"                                                       \
    "      if had ~= limit and debt > 0 then\n"                                                   \
    "        debt = math.min(ceil(debt / ceil(window * S / had)), limit) * T\n"                   \
    "        changed = true\n"                                                                    \
    "      end\n"                                                                                 \
    "    end\n"                                                                                   \
    "  end\n"                                                                                     \
    "  local lacking = cost * T - (B - debt)\n"                                                   \
    "  if lacking > 0 and cost > 0 then retry = ceil(lacking / S) else debt = debt + cost * T end\n" \
    "  reset, used = ceil(debt / S), ceil(debt / T)\n"                                            \
    "  if cost > 0 and (retry == 0 or changed) then\n"                                            \
    "    local body, ends = pack('>I8I8I4', now, debt, limit), ceil((now + reset) / step)\n"      \
    "    if ends == slot then\n"                                                                  \
    "      call('SETRANGE', key, '6', body)\n"                                                    \
    "    else\n"                                                                                  \
    "      call('SET', key, head .. body, 'PXAT', ceil(ends * step / 1000))\n"                    \
    "    end\n"                                                                                   \
    "  end\n"                                                                                     \
    "end\n"

/* ARGV: the record's first six bytes (algorithm and window); limit or 0 where
 * parameters are out of bounds, cost (4 bytes each), for a token bucket its S
 * and T (8 bytes each).
 *   1 allowed | 0 (a byte), remaining, ms until all is there, ms until the cost
 *   is (4 bytes each) */
static const char LIMIT[] =
    LIMIT_BEGIN
    LIMIT_FIXED
    LIMIT_SLIDING
    LIMIT_BUCKET
    "return pack('>BI4I4I4', retry == 0 and 1 or 0, used < limit and limit - used or 0,\n"
    "  ceil(reset / 1000), ceil(retry / 1000))\n";

/* Held while the key's time to live is over an hour: the record, 'K', the fence
 * and the token, is kept for so long after the grant has ended.
 *
 * ARGV: "acquire", "renew", "release" or "get", token, ttl in ms and the hour.
 *   0 | 1 held by another | 2 not held with this token | 3 not held (a byte),
 *   fence (8 bytes), ms left (8 bytes; not where that is what was asked for) */
static const char LOCK[] =
    "local call, key, verb = redis.call, KEYS[1], ARGV[1]\n"
    "local r = call('GET', key)\n"
    "local left = 0\n"
    "if r then\n"
    "  if #r ~= 25 or string.byte(r) ~= 75 then return {err = 'ERR a damaged lock'} end\n"
    "  left = call('PTTL', key) - 3600000\n"
    "end\n"
    "local none = '\\0\\0\\0\\0\\0\\0\\0\\0'\n"
    "if verb == 'acquire' then\n"
    "  if left > 0 then return '\\1' .. none .. struct.pack('>I8', left) end\n"
    "  local t = call('TIME')\n"
    "  local fence = t[1] * 1000000 + t[2]\n"
    "  if r then fence = math.max(fence, struct.unpack('>I8', r, 2) + 1) end\n"
    "  if fence >= 9007199254740992 then return {err = 'ERR no fence is left'} end\n"
    "  fence = struct.pack('>I8', fence)\n"
    "  call('SET', key, 'K' .. fence .. ARGV[2], 'PX', ARGV[3])\n"
    "  return '\\0' .. fence\n"
    "end\n"
    "if verb == 'get' then\n"
    "  return left > 0 and '\\0' .. string.sub(r, 2, 9) .. struct.pack('>I8', left) or '\\3' .. none .. none\n"
    "end\n"
    "if left <= 0 then return '\\2' .. none .. none end\n"
    "if string.sub(r, 10) ~= ARGV[2] then return '\\2' .. none .. struct.pack('>I8', left) end\n"
    "if verb == 'renew' then\n"
    "  call('PEXPIRE', key, ARGV[3])\n"
    "  return '\\0' .. string.sub(r, 2, 9)\n"
    "end\n"
    "call('SET', key, string.sub(r, 1, 9) .. none .. none, 'PX', '3600000')\n"
    "return '\\0' .. string.sub(r, 2, 9) .. none\n";

const char *redis_primitive_script_text(enum redis_script script)
{
    switch (script) {
    case SCRIPT_COUNTER:
        return COUNTER;
    case SCRIPT_LIMIT:
        return LIMIT;
    case SCRIPT_LOCK:
    default:
        return LOCK;
    }
}
