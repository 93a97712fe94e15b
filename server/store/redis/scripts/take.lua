local key = ARGV[3]
local found = find(key)
if not found then return false end
forget(found[4])
return result(key, found)
