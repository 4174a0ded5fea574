-- limit.lua - one check of all counters of a request that the nodes of a cluster share, atomically: either each of them
-- grants at least one request, or none is changed. The strategies are those of limit_rule.c; a change here is one there.
--
-- KEYS: the memory, then the counters.
-- ARGV: 1 the memory that the caller knows, or ""; 2 a new one's name; 3 "1": the caller counted elsewhere for a while,
-- so what is here is not all; 4 "1": the caller has just connected; 5 the time in us, or 0 for Redis's own (tests set it);
-- then for each counter: strategy (0 bucket, 1 fixed, 2 sliding), limit, window in us, how many requests are wanted, how
-- many more may be taken in advance: one share of what is left, but at least so many.
--
-- The answer: 0 or the number of the counter that refuses; the time; the memory's name; then for each counter requests
-- granted, left, us until the grant ends, us until one request will be admitted (0: now), us until the full limit is back.
--
-- The memory is "name since run": since when (us) all that was admitted is in the counters. It begins anew when Redis has
-- lost or may have lost something: the key is gone, or the process is another one (run), or a caller says so. A counter then
-- assumes that before it all was used but an eighth. 0: from the beginning; that is so when nobody knew an older memory.
local known, name, away, connected, now = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1', tonumber(ARGV[5])
local FRACTION, EXACT = 4096, 2 ^ 53
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min

if now == 0 then
	local time = redis.call('TIME')
	now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function run_id()
	local text = redis.pcall('INFO', 'server')
	return type(text) == 'string' and string.match(text, 'run_id:(%w+)') or '-'
end

local function memory_since()
	local old_name, since, run = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+) (%S+)$')
	local renew, current = away, run
	if not old_name then
		old_name, since, current = name, 0, run_id()
		renew = away or known ~= ''
		run = nil
	else
		since = tonumber(since)
		renew = renew or (known ~= '' and known ~= old_name and since == 0)
		if connected then
			current = run_id()
			renew = renew or current ~= run
		end
	end
	if renew then since = now end
	if renew or run ~= current then
		redis.call('SET', KEYS[1], string.format('%s %.0f %s', old_name, since, current))
	end
	name = old_name
	return since
end

local since = memory_since()

local function assumed(limit)
	return limit - max(floor(limit / 8), 1)
end

-- Each strategy answers: room for how many now, and a function that writes the state after some of them and answers
-- how many are left, and the times of the answer above.
local function bucket(key, limit, window)
	local token = ceil(window * FRACTION / limit)
	local us, fraction = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
	local ahead = 0
	if us then ahead = max((us - now) * FRACTION + fraction, 0) end
	if since > 0 then ahead = max(ahead, assumed(limit) * token - (now - since) * FRACTION) end
	-- More can only be after Redis's clock went back, or when the limit has become smaller.
	local beyond = ahead > limit * token
	ahead = min(ahead, limit * token)
	local room = floor((limit * token - ahead) / token)
	return room, function(count)
		ahead = ahead + count * token
		local whole = floor(ahead / FRACTION)
		if count > 0 or beyond then
			redis.call('SET', key, string.format('%.0f %.0f', now + whole, ahead - whole * FRACTION), 'PX',
				ceil(window / 1000) + 60000)
		end
		local retry = ceil(max(ahead - (limit - 1) * token, 0) / FRACTION)
		return room - count, whole, retry, ceil(ahead / FRACTION)
	end
end

-- a * b / c rounded down; where the product is not exact, not above that.
local function scale(a, b, c)
	local result = floor(a * b / c)
	if a * b >= EXACT then result = max(result - 1, 0) end
	return result
end

local function faded(before, room, window)
	return before > room and window - scale(room, window, before) or 0
end

local function windows(key, limit, window, sliding)
	local number, count, before = floor(now / window), 0, 0
	local old, old_count, old_before = string.match(redis.call('GET', key) or '', '^(%d+) (%d+) (%d+)$')
	local beyond = false
	if old then
		old = tonumber(old)
		if old >= number then
			-- Its own; or Redis's clock went back, over the edge of a window or by more than that: then it goes on here.
			beyond = old > number + 1
			if not beyond then number = old end
			count, before = tonumber(old_count), tonumber(old_before)
		elseif old == number - 1 then
			before = tonumber(old_count)
		end
	end
	local start = number * window
	local elapsed = now - start
	if since > start then
		count = max(count, assumed(limit))
	elseif sliding and since > start - window then
		before = max(before, limit)
	end
	local used = count
	if sliding then used = count + before - scale(before, max(elapsed, 0), window) end
	local room = max(limit - used, 0)
	return room, function(taken)
		local retry = 0
		if room - taken == 0 then
			if not sliding then
				retry = window - elapsed
			elseif count + taken < limit then
				retry = faded(before, limit - 1 - count - taken, window) - elapsed
			else
				retry = window + faded(count + taken, limit - 1, window) - elapsed
			end
		end
		count = count + taken
		if taken > 0 or beyond then
			redis.call('SET', key, string.format('%.0f %.0f %.0f', number, count, before), 'PX',
				ceil(2 * window / 1000) + 60000)
		end
		return room - taken, window - elapsed, retry, (sliding and count > 0 and 2 or 1) * window - elapsed
	end
end

local answer, counters, refused = {0, now, name}, {}, 0
for i = 2, #KEYS do
	local at = 6 + (i - 2) * 6
	local strategy, limit, window = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
	local wanted, share, least = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
	local room, take
	if strategy == '0' then
		room, take = bucket(KEYS[i], limit, window)
	else
		room, take = windows(KEYS[i], limit, window, strategy == '2')
	end
	local more = 0
	if share > 0 then more = max(floor((room - 1) / share), min(room - 1, least)) end
	counters[i - 1] = {take = take, count = min(room, max(wanted, 1 + more), 2097151)}
	if room < 1 and refused == 0 then refused = i - 1 end
end
answer[1] = refused
for _, counter in ipairs(counters) do
	local count = refused == 0 and counter.count or 0
	local left, finish, retry, reset = counter.take(count)
	answer[#answer + 1] = count
	answer[#answer + 1] = left
	answer[#answer + 1] = finish
	answer[#answer + 1] = retry
	answer[#answer + 1] = reset
end
return answer
