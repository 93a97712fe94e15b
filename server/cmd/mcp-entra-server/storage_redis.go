package main

import (
	"context"
	"fmt"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"

	"mcpentra/server/broker"
	"mcpentra/server/store"
	"mcpentra/server/store/redis"
)

// openRedis opens a store in Redis. Errors and log lines do not contain the URL, because it may
// have a password.
func openRedis(
	ctx context.Context,
	s *settings,
	at location,
	logger *slog.Logger,
) (store.Store, *broker.Keys, error) {
	if at.keysFile == "" {
		return nil, nil, s.wrong("STORE_URL", "names Redis, and MCP_KEYS_FILE is missing: make a file with "+
			"(umask 077; openssl rand -base64 32 >FILE), and give it to all replicas")
	}
	keys, err := readKeys(at.keysFile)
	if err != nil {
		return nil, nil, err
	}
	goredis.SetLogger(redisLog{logger})
	opened, err := redis.Open(ctx, redis.Config{URL: at.url, Config: s.storeConfig(), Logger: logger})
	if err != nil {
		return nil, nil, s.wrong("STORE_URL", "cannot be used: %v", err)
	}
	logger.Info("grants are kept in Redis", "keys", at.keysFile)
	return opened, keys, nil
}

// A redisLog passes the client's own lines on, such as those about a new primary.
type redisLog struct{ logger *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, values ...any) {
	l.logger.DebugContext(ctx, fmt.Sprintf(format, values...))
}
