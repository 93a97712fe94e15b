package redis

import (
	"context"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// poolSize bounds the connections of a process to one server.
const poolSize = 64

// connect makes the client of a store. It connects with the first call. The client repeats nothing
// by itself: it would also repeat a command that the server may have run.
func (s *redisStore) connect(a *address, d *dialer) {
	s.root = "{" + a.prefix + "}"
	s.wait = a.wait
	s.waitTime = a.waitTime
	s.moved = func(context.Context) {}
	switch a.form {
	case formSentinel:
		client := redis.NewFailoverClient(sentinelOptions(a, d))
		s.node = func(context.Context) (*redis.Client, error) { return client, nil }
		s.close = client.Close
	case formCluster:
		cluster := redis.NewClusterClient(clusterOptions(a, d))
		s.node = func(ctx context.Context) (*redis.Client, error) { return cluster.MasterForKey(ctx, s.root) }
		s.moved = cluster.ReloadState
		s.close = cluster.Close
	default:
		client := redis.NewClient(serverOptions(a, d))
		s.node = func(context.Context) (*redis.Client, error) { return client, nil }
		s.close = client.Close
	}
}

func serverOptions(a *address, d *dialer) *redis.Options {
	network := "tcp"
	if a.form == formSocket {
		network = "unix"
	}
	return &redis.Options{
		Network:                  network,
		Addr:                     a.hosts[0],
		Dialer:                   d.dial,
		OnConnect:                a.checkServer,
		Protocol:                 2,
		Username:                 a.username,
		Password:                 a.password,
		DB:                       a.database,
		MaxRetries:               -1,
		DialerRetries:            1,
		DialTimeout:              dialTime,
		ReadTimeout:              callTime,
		WriteTimeout:             callTime,
		ContextTimeoutEnabled:    true,
		PoolSize:                 poolSize,
		PoolTimeout:              callTime,
		DisableIdentity:          true,
		MaintNotificationsConfig: noMaintenance(),
	}
}

func sentinelOptions(a *address, d *dialer) *redis.FailoverOptions {
	return &redis.FailoverOptions{
		MasterName:            a.master,
		SentinelAddrs:         a.hosts,
		SentinelUsername:      a.sentinelUsername,
		SentinelPassword:      a.sentinelPassword,
		Dialer:                d.dial,
		OnConnect:             a.checkServer,
		Protocol:              2,
		Username:              a.username,
		Password:              a.password,
		DB:                    a.database,
		MaxRetries:            -1,
		DialerRetries:         1,
		DialTimeout:           dialTime,
		ReadTimeout:           callTime,
		WriteTimeout:          callTime,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize,
		PoolTimeout:           callTime,
		DisableIdentity:       true,
	}
}

func clusterOptions(a *address, d *dialer) *redis.ClusterOptions {
	return &redis.ClusterOptions{
		Addrs:                    a.hosts,
		Dialer:                   d.dial,
		OnConnect:                a.checkServer,
		Protocol:                 2,
		Username:                 a.username,
		Password:                 a.password,
		MaxRetries:               -1,
		DialerRetries:            1,
		DialTimeout:              dialTime,
		ReadTimeout:              callTime,
		WriteTimeout:             callTime,
		ContextTimeoutEnabled:    true,
		PoolSize:                 poolSize,
		PoolTimeout:              callTime,
		DisableIdentity:          true,
		MaintNotificationsConfig: noMaintenance(),
	}
}

// noMaintenance switches off a protocol of managed servers that moves connections under way.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}
