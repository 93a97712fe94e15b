local key = ARGV[3]
local found = find(key)
return found and result(key, found)
