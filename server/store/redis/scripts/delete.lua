local member = redis.call('HGET', place('record', ARGV[3]), 'member')
if member then forget(member) end
return 1
