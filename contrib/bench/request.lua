-- request.lua - what wrk sends in one run, and the line of JSON that it reports at the end.
--
-- The environment says all: BENCH_TOKEN (JWT or API key), BENCH_BODY (a JSON body: the requests are POSTs), BENCH_IDS
-- (a file with one id a line: each request appends the next to the URL's path), BENCH_UNITS (how many things one request does).

local body = os.getenv("BENCH_BODY")
local ids = os.getenv("BENCH_IDS")

wrk.headers["Authorization"] = "Bearer " .. (os.getenv("BENCH_TOKEN") or "")
if body then
	wrk.method = "POST"
	wrk.body = body
	wrk.headers["Content-Type"] = "application/json"
end

if ids then
	local texts = {}
	local at = 0

	-- Written once, so that the load generator's own work stays small.
	init = function()
		for id in io.lines(ids) do
			texts[#texts + 1] = wrk.format("GET", wrk.path .. id)
		end
	end
	request = function()
		at = at % #texts + 1
		return texts[at]
	end
end

done = function(summary, latency)
	local e = summary.errors
	io.write(string.format('BENCH {"requests":%d,"seconds":%.6f,"units":%d,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,' ..
		'"error_kinds":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
		summary.requests, summary.duration / 1e6, tonumber(os.getenv("BENCH_UNITS") or "1"),
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
		e.connect, e.read, e.write, e.status, e.timeout))
end
