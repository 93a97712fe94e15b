return redis.call('ZRANGE', kinds, 0, -1)
