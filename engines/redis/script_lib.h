/* script_lib.h - the pieces of Lua that the scripts are made of (script.c).
 *
 * Each piece is text that a script includes after those it uses, in the order
 * in which they stand here. An entry is a table `e`; see LIB_FIND. Functions
 * return nil or an error reply to pass on, unless they say more. Numbers that
 * never change are given to Redis as text: it formats those of Lua as doubles,
 * which costs a third of a short command. */
#pragma once

/* Where things are in an entry (record.h), as text of Lua: its magic inside a string, the length of its header and
 * the offset of the header's last byte; the generations it carries; its end, sliding step, fence and stale
 * window. `sub` is string.sub. */
#define LUA_MAGIC "\\157Cb\\2"
#define LUA_HEADER "80"
#define LUA_HEADER_LAST "79"
#define LUA_GENERATIONS(entry) "sub(" entry ", 17, 32)"
#define LUA_TIMES(entry) "struct.unpack('>I8I8I8I8', " entry ", 33)"

/* Times are milliseconds since the epoch by this server's clock, asked for once a script. */
#define LIB_BASE \
    "local call, try, sub, byte = redis.call, redis.pcall, string.sub, string.byte\n" \
    "local NONE = '\\0\\0\\0\\0\\0\\0\\0\\0'\n" \
    "local function u64(s, at) return (struct.unpack('>I8', s, at)) end\n" \
    "local time\n" \
    "local function now()\n" \
    "  if not time then\n" \
    "    local t = call('TIME')\n" \
    "    time = t[1] * 1000 + math.floor(t[2] / 1000)\n" \
    "  end\n" \
    "  return time\n" \
    "end\n" \
    /* What else is named after an entry `e`: e.name, the generations of its namespace (e.ns) and of all \
     * (e.all) are given. */ \
    "local function names(e)\n" \
    "  if not e.tag then\n" \
    "    local head, ns = sub(e.all, 1, -7), sub(e.ns, #e.all + 1)\n" \
    "    e.tag = head .. '::tag:' .. ns .. ':'\n" \
    "    e.ends = head .. '::end:' .. ns\n" \
    "    e.lens = head .. '::len:' .. ns\n" \
    "    e.head = head .. ':' .. ns .. ':'\n" \
    "    e.key = sub(e.name, #e.head + 1)\n" \
    "  end\n" \
    "  return e\n" \
    "end\n"

/* The keys of the generations of a record's tags, and the generations that it carries; `h` reaches to the end of
 * its tags. */
#define LIB_TAGS \
    "local function tags(e, h)\n" \
    "  local keys, carried = {}, {}\n" \
    "  local at = " LUA_HEADER " + 1 + byte(h, 6)\n" \
    "  local stop = at + byte(h, 7) * 256 + byte(h, 8)\n" \
    "  while at < stop do\n" \
    "    local len = byte(h, at)\n" \
    "    keys[#keys + 1] = names(e).tag .. sub(h, at + 1, at + len)\n" \
    "    carried[#carried + 1] = sub(h, at + len + 1, at + len + 8)\n" \
    "    at = at + len + 9\n" \
    "  end\n" \
    "  return keys, carried\n" \
    "end\n" \
    "local function tags_stand(e, h)\n" \
    "  local keys, carried = tags(e, h)\n" \
    "  local stand = call('MGET', unpack(keys))\n" \
    "  for i = 1, #keys do\n" \
    "    if stand[i] ~= carried[i] then return false end\n" \
    "  end\n" \
    "  return true\n" \
    "end\n"

/* The index of a bounded namespace: a sorted set of its keys by their end, and a hash of their lengths, whose
 * field '' holds the generations under which the index stands and the sum of the lengths. What Redis expired or
 * evicted by itself stays in it until its end, or until it would be the next to go. */
#define LIB_UNINDEX \
    "local function unindex(e)\n" \
    "  local n = names(e)\n" \
    "  if call('ZREM', n.ends, n.key) == 0 then return end\n" \
    "  local found = call('HMGET', n.lens, '', n.key)\n" \
    "  if found[1] and found[2] then\n" \
    "    call('HDEL', n.lens, n.key)\n" \
    "    call('HSET', n.lens, '', sub(found[1], 1, 16) .. string.format('%.0f', sub(found[1], 17) - found[2]))\n" \
    "  end\n" \
    "end\n"

/* Looks at what is stored, with its value or without. Then
 *    e.h        the header, and the tags; or another client's bytes
 *    e.v        the version of the entry; nil: none stands
 *    e.ours     the record's generations stand: it is an entry, or has a lease
 *    e.foreign  another client's
 *    e.there    whatever it is, something is
 *    e.fence, e.lease   of what stands; a lease that is over is none
 * Returns nil, or an error to answer. */
#define LIB_FIND \
    "local function find(e, whole)\n" \
    "  local h\n" \
    "  if whole then\n" \
    "    h = try('GET', e.name)\n" \
    "    e.there = h ~= false\n" \
    "    h = h or ''\n" \
    "  else\n" \
    "    h = try('GETRANGE', e.name, '0', '" LUA_HEADER_LAST "')\n" \
    "    e.there = h ~= '' or call('EXISTS', e.name) == 1\n" \
    "  end\n" \
    "  if type(h) == 'table' then return h end\n" \
    "  e.g = e.g or call('MGET', e.ns, e.all)\n" \
    "  e.v, e.ours, e.foreign, e.indexed, e.fence, e.lease = nil, false, false, false, NONE, NONE\n" \
    "  e.h, e.whole = h, whole and h\n" \
    "  if #h < " LUA_HEADER " or sub(h, 1, 4) ~= '" LUA_MAGIC "' then\n" \
    "    if e.there then\n" \
    "      e.foreign = true\n" \
    "      e.v = string.gsub(sub(redis.sha1hex(whole and h or call('GET', e.name)), 1, 16), '%x%x',\n" \
    "        function(pair) return string.char(tonumber(pair, 16)) end)\n" \
    "    end\n" \
    "    return\n" \
    "  end\n" \
    "  local flags = byte(h, 5)\n" \
    "  e.indexed = flags >= 4\n" \
    "  if not e.g[1] or not e.g[2] or " LUA_GENERATIONS("h") " ~= e.g[1] .. e.g[2] then return end\n" \
    "  if flags % 4 >= 2 then\n" \
    "    if not whole then\n" \
    "      e.h = call('GETRANGE', e.name, '0', " LUA_HEADER_LAST " + byte(h, 6) + byte(h, 7) * 256 + byte(h, 8))\n" \
    "    end\n" \
    "    if not tags_stand(e, e.h) then return end\n" \
    "  end\n" \
    "  e.ours = true\n" \
    "  if sub(h, 65, 72) ~= NONE and u64(h, 73) > now() then e.lease = sub(h, 65, 72) end\n" \
    /* Only a lease lets a record outlive its end. */ \
    "  if flags % 2 == 0 and (sub(h, 57, 64) == NONE or u64(h, 33) == 0 or now() < u64(h, 33)) then\n" \
    "    e.v = sub(h, 9, 16)\n" \
    "    e.fence = sub(h, 49, 56)\n" \
    "  end\n" \
    "end\n" \
    "local function length(e)\n" \
    "  local n = e.whole and #e.whole or call('STRLEN', e.name)\n" \
    "  return e.foreign and n or n - " LUA_HEADER " - byte(e.h, 6) - byte(e.h, 7) * 256 - byte(e.h, 8)\n" \
    "end\n" \
    "local function drop(e)\n" \
    "  local r = try('UNLINK', e.name)\n" \
    "  if type(r) == 'table' then return r end\n" \
    "  if e.indexed then unindex(e) end\n" \
    "end\n"

#define LIB_JUDGE \
    "local function named(list, v)\n" \
    "  if not v then return false end\n" \
    "  if list == '*' then return true end\n" \
    "  for i = 2, #list, 8 do\n" \
    "    if sub(list, i, i + 7) == v then return true end\n" \
    "  end\n" \
    "  return false\n" \
    "end\n" \
    /* Not by <, which collates strings by the server's locale. */ \
    "local function below(a, b)\n" \
    "  local a1, a2 = struct.unpack('>I4I4', a)\n" \
    "  local b1, b2 = struct.unpack('>I4I4', b)\n" \
    "  return a1 < b1 or (a1 == b1 and a2 < b2)\n" \
    "end\n" \
    /* nil, or the answer that refuses. */ \
    "local function judge(e, match, none, fence, lease)\n" \
    "  if (match ~= '' and not named(match, e.v)) or (none ~= '' and named(none, e.v)) then\n" \
    "    return {2, e.v or ''}\n" \
    "  end\n" \
    "  if fence and fence ~= '' and below(fence, e.fence) then return {3, e.v or ''} end\n" \
    "  if lease and lease ~= '' and lease ~= e.lease then return {4, e.v or ''} end\n" \
    "end\n"

/* Keys that live equally long are to stay for `px` more at least (0: for ever). A quarter is added, so that equal
 * times to live seldom need this. */
#define LIB_OUTLIVE \
    "local function extend(px, ...)\n" \
    "  for i = 1, select('#', ...) do\n" \
    "    local key = select(i, ...)\n" \
    "    if px == 0 then call('PERSIST', key) else call('PEXPIRE', key, math.floor(px * 1.25) + 1) end\n" \
    "  end\n" \
    "end\n" \
    "local function outlive(px, key, ...)\n" \
    "  local left = call('PTTL', key)\n" \
    "  if left ~= -1 and (px == 0 or left < px) then extend(px, key, ...) end\n" \
    "end\n"

/* Makes those generations that are not there, from a version or token, which is as good a random number as any. */
#define LIB_GENERATIONS \
    "local function generate(e, random)\n" \
    "  for i = 1, 2 do\n" \
    "    if not e.g[i] then\n" \
    "      local r = try('SET', i == 1 and e.ns or e.all, random)\n" \
    "      if r.err then return r end\n" \
    "      e.g[i] = random\n" \
    "    end\n" \
    "  end\n" \
    "end\n"

/* Enters what was just written, and removes what is then too much: the soonest to end first, never the entry
 * itself. */
#define LIB_INDEX \
    "local function index(e, px, size, most, room)\n" \
    "  local n, stands = names(e), e.g[1] .. e.g[2]\n" \
    "  local found, count = call('HMGET', n.lens, '', n.key), call('ZCARD', n.ends)\n" \
    "  local sum = 0\n" \
    "  if found[1] and count > 0 and sub(found[1], 1, 16) == stands then\n" \
    "    sum = sub(found[1], 17) - (found[2] or 0)\n" \
    "  else\n" \
    "    call('UNLINK', n.ends, n.lens)\n" \
    "    count = 0\n" \
    "  end\n" \
    "  local fresh = count == 0\n" \
    "  sum = sum + size\n" \
    "  count = count + call('ZADD', n.ends, px == 0 and '+inf' or string.format('%.0f', now() + px), n.key)\n" \
    "  call('HSET', n.lens, n.key, size)\n" \
    "  local function remove(keys, expired)\n" \
    "    local sizes, gone, entries = call('HMGET', n.lens, unpack(keys)), {}, {}\n" \
    "    for i = 1, #keys do\n" \
    "      if keys[i] ~= n.key and (expired or count > most or sum > room) then\n" \
    "        gone[#gone + 1] = keys[i]\n" \
    "        entries[#entries + 1] = n.head .. keys[i]\n" \
    "        sum = sum - (sizes[i] or 0)\n" \
    "        count = count - 1\n" \
    "      end\n" \
    "    end\n" \
    "    if #gone == 0 then return false end\n" \
    "    if not expired then call('UNLINK', unpack(entries)) end\n" \
    "    call('ZREM', n.ends, unpack(gone))\n" \
    "    call('HDEL', n.lens, unpack(gone))\n" \
    "    return true\n" \
    "  end\n" \
    "  local ended = call('ZRANGEBYSCORE', n.ends, '-inf', now(), 'LIMIT', 0, 100)\n" \
    "  if #ended > 0 then remove(ended, true) end\n" \
    "  while (count > most or sum > room) and remove(call('ZRANGE', n.ends, 0, 99), false) do end\n" \
    "  call('HSET', n.lens, '', stands .. string.format('%.0f', sum))\n" \
    "  if not fresh then outlive(px, n.ends, n.lens) elseif px > 0 then extend(px, n.ends, n.lens) end\n" \
    "end\n"

/* Stores `record`, which was judged, over what was found. `most` and `room` are '' where the namespace has no
 * bounds. */
#define LIB_PUT \
    "local function put(e, record, px, guess, most, room)\n" \
    "  local fault, px_text = generate(e, sub(record, 9, 16)), px\n" \
    "  if fault then return fault end\n" \
    "  px = tonumber(px)\n" \
    "  local stands, fence = e.g[1] .. e.g[2], sub(record, 49, 56)\n" \
    "  if below(fence, e.fence) then fence = e.fence end\n" \
    "  local head = sub(record, 1, 16) .. stands .. sub(record, 33, 48) .. fence\n" \
    "  if byte(record, 5) % 4 >= 2 then\n" \
    /* A sliding entry lives longer than px: its tags must, too. */ \
    "    local stop = u64(record, 33)\n" \
    "    local life = stop > 0 and math.max(px, stop - now()) or 0\n" \
    "    local keys = tags(e, record)\n" \
    "    local stand = call('MGET', unpack(keys))\n" \
    "    head = head .. sub(record, 57, " LUA_HEADER " + byte(record, 6))\n" \
    "    for i = 1, #keys do\n" \
    "      if stand[i] then\n" \
    "        outlive(life, keys[i])\n" \
    "      else\n" \
    "        stand[i] = sub(record, 9, 16)\n" \
    "        local r = try('SET', keys[i], stand[i])\n" \
    "        if r.err then return r end\n" \
    "        if life > 0 then extend(life, keys[i]) end\n" \
    "      end\n" \
    "      local tag = sub(keys[i], #e.tag + 1)\n" \
    "      head = head .. string.char(#tag) .. tag .. stand[i]\n" \
    "    end\n" \
    "  end\n" \
    "  local r\n" \
    "  if px == 0 then r = try('SET', e.name, record) else r = try('SET', e.name, record, 'PX', px_text) end\n" \
    "  if r.err then return r end\n" \
    "  if head ~= sub(record, 1, #head) then call('SETRANGE', e.name, '0', head) end\n" \
    "  if most ~= '' then\n" \
    "    local size = #record - " LUA_HEADER " - byte(record, 6) - byte(record, 7) * 256 - byte(record, 8)\n" \
    "    index(e, px, size, tonumber(most), tonumber(room))\n" \
    "  elseif e.indexed then\n" \
    "    unindex(e)\n" \
    "  end\n" \
    "  local n = e.v and 0 or 1\n" \
    "  if stands == guess then return n end\n" \
    "  return {n, stands}\n" \
    "end\n"

/* A miss whose reader asked for the lease. */
#define LIB_READ \
    "local function promise(e, ms, token)\n" \
    "  if e.lease ~= NONE and e.lease ~= token then return {2, u64(e.h, 73) - now()} end\n" \
    "  local fault = generate(e, token)\n" \
    "  if fault then return string.find(fault.err, 'OOM', 1, true) and {0, 0} or fault end\n" \
    "  local marker = '" LUA_MAGIC "\\1\\0\\0\\0' .. token .. e.g[1] .. e.g[2] .. NONE .. NONE .. NONE .. NONE\n" \
    "  local r = try('SET', e.name, marker .. token .. struct.pack('>I8', now() + ms), 'PX', ms)\n" \
    /* Without memory nobody has it, and the miss is what it is. */ \
    "  if r.err then return string.find(r.err, 'OOM', 1, true) and {0, 0} or r end\n" \
    "  if e.indexed then unindex(e) end\n" \
    "  return {1, 0}\n" \
    "end\n" \
    /* The same for a stale entry. The lease may end later than the entry does. Without memory there is \
     * none. */ \
    "local function promise_stale(e, ms, token)\n" \
    "  if e.lease ~= NONE and e.lease ~= token then return 2, u64(e.h, 73) - now() end\n" \
    "  local r = try('SETRANGE', e.name, '64', token .. struct.pack('>I8', now() + ms))\n" \
    "  if type(r) == 'table' then return 0, 0 end\n" \
    "  if u64(e.h, 33) - now() < ms then call('PEXPIRE', e.name, ms) end\n" \
    "  return 1, 0\n" \
    "end\n" \
    "local function slide(e, idle, ttl)\n" \
    "  local stop = u64(e.h, 33)\n" \
    "  local px = stop > 0 and math.min(idle, stop - now()) or idle\n" \
    "  if px > ttl then\n" \
    "    local r = try('PEXPIRE', e.name, px)\n" \
    "    if type(r) == 'table' then return r end\n" \
    "    ttl = px\n" \
    "    if e.indexed then try('ZADD', names(e).ends, 'XX', string.format('%.0f', now() + px), e.key) end\n" \
    "  end\n" \
    "  return ttl\n" \
    "end\n" \
    "local function read(e, ms, token)\n" \
    "  if not e.v then\n" \
    "    if ms > 0 then return promise(e, ms, token) end\n" \
    "    if e.there and not e.ours then drop(e) end\n" \
    "    return false\n" \
    "  end\n" \
    "  local state, ttl, idle, lease, left = 0, call('PTTL', e.name), 0, 0, 0\n" \
    "  if e.ours then\n" \
    "    local stale, stop = u64(e.h, 57), u64(e.h, 33)\n" \
    "    idle = u64(e.h, 41)\n" \
    "    if idle > 0 then\n" \
    "      ttl = slide(e, idle, ttl)\n" \
    "      if type(ttl) == 'table' then return ttl end\n" \
    "    elseif stale > 0 and stop > 0 then\n" \
    "      ttl = math.max(ttl - stale, 1)\n" \
    "      if now() >= stop - stale then\n" \
    "        state, ttl = 1, 0\n" \
    "        if ms > 0 then lease, left = promise_stale(e, ms, token) end\n" \
    "      end\n" \
    "    end\n" \
    "    if idle > 0 or byte(e.h, 5) % 4 >= 2 then state = state + 2 end\n" \
    "  end\n" \
    "  return {e.v, state, ttl, idle, length(e), e.whole or '', lease, left}\n" \
    "end\n"

#define LIB_TOUCH \
    "local function touch(e, ttl)\n" \
    "  if not e.v then return 1 end\n" \
    "  local idle, stale = 0, 0\n" \
    "  if e.ours then idle, stale = u64(e.h, 41), u64(e.h, 57) end\n" \
    "  local life = ttl > 0 and ttl + stale or 0\n" \
    "  local px = life\n" \
    "  if idle > 0 and (ttl == 0 or idle < ttl) then px = idle end\n" \
    "  local r\n" \
    "  if px == 0 then r = try('PERSIST', e.name) else r = try('PEXPIRE', e.name, px) end\n" \
    "  if type(r) == 'table' then return r end\n" \
    "  if e.ours then\n" \
    "    local stop = struct.pack('>I8', life > 0 and now() + life or 0)\n" \
    "    call('SETRANGE', e.name, '32', stop .. sub(e.h, 41, 64) .. NONE .. NONE)\n" \
    "    if byte(e.h, 5) % 4 >= 2 then\n" \
    "      for _, key in ipairs((tags(e, e.h))) do outlive(life, key) end\n" \
    "    end\n" \
    "    if e.indexed then\n" \
    "      call('ZADD', names(e).ends, 'XX', px == 0 and '+inf' or string.format('%.0f', now() + px), e.key)\n" \
    "      outlive(px, e.ends, e.lens)\n" \
    "    end\n" \
    "  end\n" \
    "  if idle == 0 then px = ttl end\n" \
    "  return {0, e.v, px > 0 and px or -1, idle, length(e)}\n" \
    "end\n"

#define LIB_DELETE \
    "local function delete(e)\n" \
    "  local fault = e.there and drop(e)\n" \
    "  if fault then return fault end\n" \
    "  return e.v and 0 or 1\n" \
    "end\n"
