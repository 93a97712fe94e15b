local key, version, expires, ttl = ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local source, group, once = ARGV[7], ARGV[8], ARGV[9] == '1'
local most, most_sourced, value = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]

-- The sources that are compared when several have the most records.
local compared = 20
-- The records that one new record can push out, and the expired ones that go with it.
local most_forgotten, most_swept = 100, 100

local function is_full()
	local records = redis.call('ZCARD', expiries)
	local sourced = records - redis.call('ZCARD', place('source-expiries', ''))
	return records >= most or source ~= '' and most_sourced > 0 and sourced >= most_sourced
end

-- victim returns the record that expires first, of the source with the most records.
local function victim()
	local largest = redis.call('ZREVRANGE', sources, 0, 0, 'WITHSCORES')
	if #largest == 0 then return redis.call('ZRANGE', expiries, 0, 0)[1] end
	local first, earliest
	local equal = redis.call('ZRANGEBYSCORE', sources, largest[2], largest[2], 'LIMIT', 0, compared)
	for _, name in ipairs(equal) do
		local entry = redis.call('ZRANGE', place('source-expiries', name), 0, 0, 'WITHSCORES')
		if not earliest or tonumber(entry[2]) < earliest then
			first = entry[1]
			earliest = tonumber(entry[2])
		end
	end
	return first
end

local found = find(key)
local stored = found and tonumber(found[2]) or 0
if version ~= stored then return {0, 0} end
local member = member_of(source, group, key)
local previous = redis.call('HGET', place('record', key), 'member')
local has_entries = found and previous == member
if previous and not has_entries then forget(previous) end
local forgotten = 0
if not found then
	for _ = 1, most_forgotten do
		if not is_full() then break end
		if sweep(most_swept) == 0 then
			forget(victim())
			forgotten = forgotten + 1
		end
	end
end
sweep(2)

local record = place('record', key)
redis.call('HSET', record, 'value', value, 'version', version + 1, 'expires', expires, 'member', member)
if once then
	redis.call('HSET', record, 'history', history())
else
	redis.call('HDEL', record, 'history')
end
redis.call('EXPIRE', record, ttl)
redis.call('ZADD', expiries, expires, member)
redis.call('ZADD', place('source-expiries', source), expires, member)
if has_entries then return {version + 1, forgotten} end
redis.call('ZADD', kinds, 0, kind)
redis.call('ZADD', keys, 0, key)
if source ~= '' then redis.call('ZADD', place('source-keys', source), 0, key) end
if group ~= '' then redis.call('ZADD', place('group-keys', group), 0, key) end
recount(source)
return {version + 1, forgotten}
