-- Every script starts with this file. KEYS[1] is the store's root, a hash tag such as {mcpentra}.
-- So all keys of a store are in one slot of a cluster, and a script may compute their names.
--
--   root:format                            the version of this layout
--   root:kinds                             sorted set of the kinds that have records
--   root:LENGTH:KIND:record:KEY            hash of value, version, expires, member, history
--   root:LENGTH:KIND:expiries              sorted set of members by expiry
--   root:LENGTH:KIND:source-expiries:NAME  the same for one source; the empty name has the rest
--   root:LENGTH:KIND:sources               sorted set of sources by their number of records
--   root:LENGTH:KIND:keys                  sorted set of keys in byte order
--   root:LENGTH:KIND:source-keys:NAME      the same for one source
--   root:LENGTH:KIND:group-keys:NAME       the same for one group
--
-- A member names a record with its source and group. So its entries in the sets can be removed
-- after Redis has freed the record itself.

local root = KEYS[1]
local kind = ARGV[1]
local now = tonumber(ARGV[2])
local kinds = root .. ':kinds'
local shelf = root .. ':' .. #kind .. ':' .. kind .. ':'
local expiries = shelf .. 'expiries'
local keys = shelf .. 'keys'
local sources = shelf .. 'sources'

local function place(what, name) return shelf .. what .. ':' .. name end

local function member_of(source, group, key)
	return #source .. ':' .. #group .. ':' .. source .. group .. key
end

local function split(member)
	local source_length, group_length, rest = string.match(member, '^(%d+):(%d+):(.*)$')
	local source_end = tonumber(source_length)
	local group_end = source_end + tonumber(group_length)
	return string.sub(rest, 1, source_end), string.sub(rest, source_end + 1, group_end), string.sub(rest, group_end + 1)
end

-- history returns the replication ID of the server's data. It changes when the server restarts and
-- when a replica becomes the primary. In both cases the last writes may be lost.
local known_history
local function history()
	if not known_history then
		known_history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
		if not known_history then error('INFO replication has no master_replid') end
	end
	return known_history
end

-- find returns value, version, expires, member and history of a record, or nil. A record that must
-- not come back exists only in the history that it was written in.
local function find(key)
	local found = redis.call('HMGET', place('record', key), 'value', 'version', 'expires', 'member', 'history')
	if not found[1] or tonumber(found[3]) <= now then return nil end
	if found[5] and found[5] ~= history() then return nil end
	return found
end

local function recount(source)
	if source == '' then return end
	local records = redis.call('ZCARD', place('source-expiries', source))
	if records == 0 then
		redis.call('ZREM', sources, source)
	else
		redis.call('ZADD', sources, records, source)
	end
end

-- forget removes a record and its entries. If the key has another record meanwhile, that one stays.
local function forget(member)
	local source, group, key = split(member)
	redis.call('ZREM', expiries, member)
	redis.call('ZREM', place('source-expiries', source), member)
	recount(source)
	local current = redis.call('HGET', place('record', key), 'member')
	local other_source, other_group
	if current and current ~= member then
		other_source, other_group = split(current)
	else
		redis.call('DEL', place('record', key))
		redis.call('ZREM', keys, key)
	end
	if source ~= other_source then redis.call('ZREM', place('source-keys', source), key) end
	if group ~= other_group then redis.call('ZREM', place('group-keys', group), key) end
	if redis.call('ZCARD', expiries) == 0 then redis.call('ZREM', kinds, kind) end
end

-- sweep forgets expired records, at most so many.
local function sweep(most)
	local expired = redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, most)
	for _, member in ipairs(expired) do forget(member) end
	return #expired
end

-- result returns a record for the caller.
local function result(key, found)
	local source, group = split(found[4])
	return {key, found[1], found[2], found[3], source, group}
end
