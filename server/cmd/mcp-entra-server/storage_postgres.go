package main

import (
	"context"
	"fmt"
	"log/slog"

	"mcpentra/server/broker"
	"mcpentra/server/store"
	"mcpentra/server/store/postgres"
)

// openPostgres opens a store in PostgreSQL. The keys file must exist, because all replicas need the
// same one.
func openPostgres(
	ctx context.Context,
	s *settings,
	at location,
	logger *slog.Logger,
) (store.Store, *broker.Keys, error) {
	if at.keysFile == "" {
		return nil, nil, s.wrong("MCP_KEYS_FILE", "is missing: a store in PostgreSQL needs one, and its replicas need "+
			"the same; openssl rand -base64 32 writes a key")
	}
	keys, err := readKeys(at.keysFile)
	if err != nil {
		return nil, nil, err
	}
	opened, err := postgres.Open(ctx, postgres.Config{URL: at.url, Logger: logger, Config: s.storeConfig()})
	if err != nil {
		return nil, nil, fmt.Errorf("STORE_URL: %w", err)
	}
	logger.Info("grants are kept in PostgreSQL", "keys", at.keysFile)
	return opened, keys, nil
}
