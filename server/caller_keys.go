package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"mcpentra/server/broker"
)

// callerKeys derives the keys that sign callers' names from the keys that all replicas share. They
// change together.
type callerKeys struct {
	shared *broker.Keys
	now    func() time.Time
	latest atomic.Pointer[derivedKeys]
}

type derivedKeys struct {
	secrets [][]byte
	keys    []*ecdsa.PrivateKey
}

// current returns the keys, and the one that signs in front. If keys that came later cannot be
// used, it returns the earlier ones.
func (c *callerKeys) current() []*ecdsa.PrivateKey {
	if keys, err := c.read(); err == nil {
		return keys
	}
	return c.latest.Load().keys
}

func (c *callerKeys) read() ([]*ecdsa.PrivateKey, error) {
	secrets := c.shared.Derive("callers", c.now())
	if latest := c.latest.Load(); latest != nil && slices.EqualFunc(latest.secrets, secrets, bytes.Equal) {
		return latest.keys, nil
	}
	made := &derivedKeys{secrets: secrets}
	for _, secret := range secrets {
		// One of 2^32 values is not a key of this curve.
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
		if err != nil {
			return nil, fmt.Errorf("server: derive a key that signs callers' names: %w", err)
		}
		made.keys = append(made.keys, key)
	}
	c.latest.Store(made)
	return made.keys, nil
}
