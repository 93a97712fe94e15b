local source, group, after = ARGV[3], ARGV[4], ARGV[5]
local most, most_bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local read = 1000 -- the keys of one call

local index = keys
if source ~= '' then
	index = place('source-keys', source)
elseif group ~= '' then
	index = place('group-keys', group)
end
local from = '-'
if after ~= '' then from = '(' .. after end

-- The first element is the key after which the next call goes on, or empty at the end.
local page = {''}
local bytes = 0
local found_keys = redis.call('ZRANGEBYLEX', index, from, '+', 'LIMIT', 0, read)
for i, key in ipairs(found_keys) do
	local found = find(key)
	local record = found and result(key, found)
	local is_wanted = record and (source == '' or record[5] == source) and (group == '' or record[6] == group)
	if is_wanted then
		page[#page + 1] = record
		bytes = bytes + #record[2]
	end
	local is_last = i == #found_keys
	if #page > most or bytes >= most_bytes or is_last then
		if not is_last or i == read then page[1] = key end
		break
	end
end
return page
