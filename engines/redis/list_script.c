/* list_script.c - one step of a listing: SCAN, and what stands of what it found.
 *
 * The names are not known beforehand, so they are not among KEYS; the one that
 * is there sends the step to the server that holds the bucket the listing is
 * at. A script is one step of a server's time: at most 1,000 names.
 *
 * ARGV: SCAN's cursor, pattern, COUNT, namespace, "1" to tell of records too that
 * are no entries but may hold a lease, in a cluster all buckets' tags.
 *   {SCAN's next cursor, the process's run id or "", buckets, then for each: name, length, ttl}
 * with ttl as in engine_entry. Buckets, in the first and the last step of a
 * walk: for each tag "1" where all of its slot is here, "0" where it is
 * elsewhere or being moved, as the access to a key that never is there tells.
 * Only what was here at both ends has been walked, so names in a slot that is
 * being moved can be passed over. */
#include "engines/redis/list.h"

#include "engines/redis/script_lib.h"

/* Judges as FIND in the scripts of entries; `head` is what stands before the
 * colon and the namespace. */
#define STANDS                                                                                    \
    "local function stands(name, head, h)\n"                                                      \
    "  local g = gens[head]\n"                                                                    \
    "  if not g then\n"                                                                           \
    "    local pair = must(redis.pcall('MGET', head .. '::gen:' .. ns, head .. '::gen:'))\n"      \
    "    g = pair[1] and pair[2] and pair[1] .. pair[2] or 'none'\n"                              \
    "    gens[head] = g\n"                                                                        \
    "  end\n"                                                                                     \
    "  local flags = string.byte(h, 5)\n"                                                         \
    "  if " LUA_GENERATIONS("h") " ~= g then return false end\n"                                   \
    "  if ARGV[5] == '1' then return true end\n"                                                  \
    "  if flags % 2 == 1 then return false end\n"                                                 \
    "  local last, _, _, stale = " LUA_TIMES("h") "\n"                             \
    "  if stale > 0 and last > 0 and last <= now then return false end\n"                         \
    "  if flags % 4 < 2 then return true end\n"                                                   \
    "  local at = " LUA_HEADER " + string.byte(h, 6)\n"                                                       \
    "  local tags = must(redis.pcall('GETRANGE', name, at, at + struct.unpack('>I2', h, 7) - 1))\n" \
    "  at = 1\n"                                                                                  \
    "  while at <= #tags do\n"                                                                    \
    "    local len = string.byte(tags, at)\n"                                                     \
    "    local key = head .. '::tag:' .. ns .. ':' .. string.sub(tags, at + 1, at + len)\n"       \
    "    if gens[key] == nil then gens[key] = must(redis.pcall('GET', key)) end\n"                \
    "    if gens[key] ~= string.sub(tags, at + len + 1, at + len + 8) then return false end\n"    \
    "    at = at + len + 9\n"                                                                     \
    "  end\n"                                                                                     \
    "  return true\n"                                                                             \
    "end\n"

static const char LIST[] =
    "local sub = string.sub\n"
    "local scanned = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])\n"
    "local info = redis.pcall('INFO', 'server')\n"
    "local out = {scanned[1], type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '', ''}\n"
    "local ns, gens, now = ARGV[4], {}, redis.call('TIME')\n"
    "now = now[1] * 1000 + math.floor(now[2] / 1000)\n"
    "local between\n"
    "local function must(r)\n"
    "  if type(r) == 'table' and r.err then\n"
    "    between = r.err\n"
    "    error('between')\n"
    "  end\n"
    "  return r\n"
    "end\n"
    STANDS
    "local whole = string.sub(KEYS[1], 1, -7)\n" /* without ::gen: */
    "local clustered = string.byte(whole, -1) == 125\n"
    "local function look(name)\n"
    "  local head = whole\n"
    "  if clustered then head = string.match(name, '^[^:]+:{%d+}') end\n"
    "  if not head or string.sub(name, #head + 1, #head + #ns + 2) ~= ':' .. ns .. ':' then return end\n"
    "  local h = redis.pcall('GETRANGE', name, '0', '" LUA_HEADER_LAST "')\n"
    "  if type(h) == 'table' and string.find(h.err, 'WRONGTYPE', 1, true) then return end\n"
    "  must(h)\n"
    "  local len, ttl = must(redis.pcall('STRLEN', name))\n"
    "  if #h == " LUA_HEADER " and string.sub(h, 1, 4) == '" LUA_MAGIC "' then\n"
    "    if not stands(name, head, h) then return end\n"
    "    len = len - " LUA_HEADER " - string.byte(h, 6) - struct.unpack('>I2', h, 7)\n"
    "    local last, idle, _, stale = " LUA_TIMES("h") "\n"
    "    if idle == 0 then\n"
    "      ttl = last == 0 and -1 or math.max(last - stale - now, stale > 0 and 0 or 1)\n"
    "    end\n"
    "  end\n"
    "  if not ttl then\n"
    "    ttl = must(redis.pcall('PTTL', name))\n"
    "    if ttl == -2 then return end\n" /* gone */
    "  end\n"
    "  local n = #out\n"
    "  out[n + 1], out[n + 2], out[n + 3] = name, len, ttl\n"
    "end\n"
    "for _, name in ipairs(scanned[2]) do\n"
    "  between = nil\n"
    "  local good, fault = pcall(look, name)\n"
    "  if not good and not (between and string.find(between, 'non local key', 1, true)) then\n"
    "    return {err = between or 'ERR ' .. tostring(fault)}\n"
    "  end\n"
    "end\n"
    "if clustered and (ARGV[1] == '0' or scanned[1] == '0') then\n"
    "  local head, bits = string.match(whole, '^[^{]+'), {}\n"
    "  for tag in string.gmatch(ARGV[6], '%d+') do\n"
    "    local r = redis.pcall('EXISTS', head .. '{' .. tag .. '}::none')\n"
    "    bits[#bits + 1] = type(r) == 'number' and '1' or '0'\n"
    "  end\n"
    "  out[3] = table.concat(bits)\n"
    "end\n"
    "return out\n";

const char *redis_list_script_text(void)
{
    return LIST;
}
