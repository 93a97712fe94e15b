package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"mcpentra/server/store"
)

// kindEpoch is the kind of the one record that says how often a store was opened.
const kindEpoch = "epoch"

// An epochRecord tells a store from an earlier state of itself. The keys file notes the epoch too,
// so a store that is older than the file comes from a backup.
type epochRecord struct {
	// Store is the name of the store. One keys file may serve several stores.
	Store string `json:"store"`
	Epoch int64  `json:"epoch"`
	// VoidBefore ends everything that was issued before it. A backup contains refresh tokens and
	// codes that were used after it was made.
	VoidBefore time.Time `json:"void_before,omitzero"`
}

// An Epoch is the result of RaiseEpoch.
type Epoch struct {
	// Store is the name of the store, for RaiseEpochText.
	Store string
	// Number is the new epoch.
	Number int64
	// Found is the epoch that the store had, and Noted the one in the keys file.
	Found, Noted int64
	// Voided says that the store was older than the keys file, so that what it issued before now is
	// void.
	Voided bool
}

// An EpochConfig configures RaiseEpoch.
type EpochConfig struct {
	Store store.Store
	Keys  *Keys
	// Restored says that the store comes from a backup, whatever the epochs say.
	Restored bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Rand is the source of a store's name. Nil means crypto/rand.
	Rand io.Reader
}

// RaiseEpoch raises the epoch of a store. The caller then notes it in the keys file
// (RaiseEpochText). Without this order, a crash between the two would make a good store look old.
// If the store is older than the keys file, its codes and refresh tokens end, and their access
// tokens. Running brokers notice within store.MaxStale. New sign-ins work.
func RaiseEpoch(ctx context.Context, config EpochConfig) (*Epoch, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	records := &sealedStore{store: config.Store, keys: config.Keys, random: config.Rand, now: config.Now}
	for {
		raised, err := raiseEpoch(ctx, records, config.Restored)
		if errors.Is(err, store.ErrConflict) && ctx.Err() == nil {
			continue // another replica was faster
		}
		return raised, err
	}
}

func raiseEpoch(ctx context.Context, records *sealedStore, restored bool) (*Epoch, error) {
	record, kept, err := records.epoch(ctx)
	if err != nil {
		return nil, err
	}
	noted := records.keys.ring.Load().epochs[kept.Store]
	raised := &Epoch{
		Store:  kept.Store,
		Number: max(kept.Epoch, noted) + 1,
		Found:  kept.Epoch,
		Noted:  noted,
		Voided: restored || kept.Epoch < noted,
	}
	kept.Epoch = raised.Number
	if raised.Voided {
		kept.VoidBefore = records.now()
	}
	record.Expires = lasting(records.now())
	return raised, records.put(ctx, record, kept)
}

// epoch reads the record of the epoch. A store without one gets a name.
func (s *sealedStore) epoch(ctx context.Context) (store.Record, epochRecord, error) {
	var kept epochRecord
	record, err := s.get(ctx, kindEpoch, "this", &kept)
	if !errors.Is(err, store.ErrNotFound) {
		return record, kept, err
	}
	name := make([]byte, 8)
	if _, err := io.ReadFull(s.random, name); err != nil {
		return record, kept, fmt.Errorf("broker: no randomness: %w", err)
	}
	kept.Store = hex.EncodeToString(name)
	return store.Record{Kind: kindEpoch, Key: "this"}, kept, nil
}

// createEpoch makes the record of the epoch if it is missing, so that readers find it in the cache.
// Like getLasting, it encrypts the record of an older key anew.
func (s *sealedStore) createEpoch(ctx context.Context) error {
	record, kept, err := s.epoch(ctx)
	isCurrent := record.Version != 0 && s.keys.sealedByFirst(record.Value, s.now())
	if err != nil || isCurrent {
		return err
	}
	record.Expires = lasting(s.now())
	err = s.put(ctx, record, kept)
	if errors.Is(err, store.ErrConflict) {
		return nil // another process has written it
	}
	return err
}

// A void is what one version of the epoch's record says.
type void struct {
	version int64
	before  time.Time
}

// An epochReader remembers the last version of the epoch's record.
type epochReader struct{ latest atomic.Pointer[void] }

// voidBefore returns the time of the last restore. What was issued before it has ended.
func (s *sealedStore) voidBefore(ctx context.Context) (time.Time, error) {
	record, err := s.findCached(ctx, kindEpoch, "this")
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, err
	}
	if known := s.restores.latest.Load(); known != nil && known.version == record.Version {
		return known.before, nil
	}
	text, err := s.keys.open(record.Value, placeOf(record))
	if err != nil {
		return time.Time{}, err
	}
	var kept epochRecord
	if err := json.Unmarshal(text, &kept); err != nil {
		return time.Time{}, err
	}
	s.restores.latest.Store(&void{version: record.Version, before: kept.VoidBefore})
	return kept.VoidBefore, nil
}

// An issued value ends when its store is restored from a backup.
type issued interface{ issuedAt() time.Time }

func (g *grant) issuedAt() time.Time { return g.Rotated }

func (c *authorizationCode) issuedAt() time.Time { return c.Until.Add(-codeLifetime) }

func (d *deviceAuthorization) issuedAt() time.Time { return d.Begun }

// checkVoid returns store.ErrNotFound for a value that has ended because its store was restored.
func (s *sealedStore) checkVoid(ctx context.Context, value any) error {
	dated, ok := value.(issued)
	if !ok {
		return nil
	}
	before, err := s.voidBefore(ctx)
	if err == nil && dated.issuedAt().Before(before) {
		return store.ErrNotFound
	}
	return err
}
