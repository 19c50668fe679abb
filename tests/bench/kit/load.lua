-- What wrk sends and how it reports: parameters come by environment (kit/load.py),
-- the report is one JSON line. Answers above 399 count as unexpected (wrk tells
-- no more without a hook per response, which would load wrk itself).
local method = os.getenv("LOAD_METHOD") or "GET"
local keys = tonumber(os.getenv("LOAD_KEYS") or "0")
local path = os.getenv("LOAD_PATH") or "/"
local body = os.getenv("LOAD_BODY") or ""

wrk.method = method
if body ~= "" then
   wrk.body = body
end
for name, value in (os.getenv("LOAD_HEADERS") or ""):gmatch("([^:\n]+): ([^\n]*)") do
   wrk.headers[name] = value
end

if keys > 0 then
   local requests, turn = {}, 0
   init = function()
      for i = 1, keys do
         requests[i] = wrk.format(method, path .. i .. (os.getenv("LOAD_SUFFIX") or ""))
      end
      -- wrk's threads share no state: start each at its own place.
      turn = math.random(keys) - 1
   end
   request = function()
      turn = turn % keys + 1
      return requests[turn]
   end
end

done = function(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      'LOAD {"requests":%d,"microseconds":%d,"bytes":%d,"unexpected":%d,"socket_errors":%d,"p50":%d,"p99":%d}\n',
      summary.requests, summary.duration, summary.bytes, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
