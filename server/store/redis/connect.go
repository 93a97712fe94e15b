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
	common := options(a, d)
	switch a.form {
	case formSentinel:
		client := redis.NewFailoverClient(common.Failover())
		s.node = func(context.Context) (*redis.Client, error) { return client, nil }
		s.close = client.Close
	case formCluster:
		cluster := redis.NewClusterClient(common.Cluster())
		s.node = func(ctx context.Context) (*redis.Client, error) { return cluster.MasterForKey(ctx, s.root) }
		s.moved = cluster.ReloadState
		s.close = cluster.Close
	default:
		client := redis.NewClient(common.Simple()) // an address that begins with a slash is a socket
		s.node = func(context.Context) (*redis.Client, error) { return client, nil }
		s.close = client.Close
	}
}

// options returns the options of all forms. The forms leave out what they do not have.
func options(a *address, d *dialer) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs:                 a.hosts,
		MasterName:            a.master,
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
		// The notifications of managed servers would move connections under way.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
