local known = tonumber(ARGV[3])
local format = tonumber(redis.call('GET', root .. ':format') or 0)
if format == 0 then
	redis.call('SET', root .. ':format', known)
	format = known
end
history()
return format
