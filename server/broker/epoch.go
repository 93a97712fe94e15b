package broker

import (
	"bytes"
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
	if err != nil {
		return err
	}
	s.restores.latest.Store(&readEpoch{sealed: record.Value, epochRecord: kept})
	if record.Version != 0 && s.keys.sealedByFirst(record.Value, s.now()) {
		return nil
	}
	record.Expires = lasting(s.now())
	err = s.put(ctx, record, kept)
	if errors.Is(err, store.ErrConflict) {
		return nil // another process has written it
	}
	return err
}

// A readEpoch is the epoch's record as it was read last.
type readEpoch struct {
	sealed []byte
	epochRecord
}

// An epochReader remembers the last state of the epoch's record.
type epochReader struct{ latest atomic.Pointer[readEpoch] }

// voidBefore returns the time of the last restore. What was issued before it has ended.
func (s *sealedStore) voidBefore(ctx context.Context) (time.Time, error) {
	record, err := s.findCached(ctx, kindEpoch, "this")
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	} else if err != nil {
		return time.Time{}, err
	}
	known := s.restores.latest.Load()
	// The version alone would not do: a store that has lost its last writes uses numbers again.
	if known != nil && bytes.Equal(known.sealed, record.Value) {
		return known.VoidBefore, nil
	}
	text, err := s.keys.open(record.Value, placeOf(record))
	if err != nil {
		return time.Time{}, err
	}
	read := &readEpoch{sealed: record.Value}
	if err := json.Unmarshal(text, &read.epochRecord); err != nil {
		return time.Time{}, err
	}
	if known != nil && read.isBefore(known.epochRecord) {
		return s.endLostEpoch(ctx, known.epochRecord)
	}
	s.restores.latest.Store(read)
	return read.VoidBefore, nil
}

// isBefore reports whether a store is in an earlier state than another one that was seen.
func (e epochRecord) isBefore(seen epochRecord) bool {
	return e.Store == seen.Store && e.Epoch < seen.Epoch
}

// endLostEpoch ends what was issued until now, because the running store went back to an earlier
// state than the one that was seen. Either it was restored from a backup, or another server took
// over that lacks the raised epoch. The loss of a later void would revive what had ended. It
// returns the time of the end.
func (s *sealedStore) endLostEpoch(ctx context.Context, seen epochRecord) (time.Time, error) {
	record, kept, err := s.epoch(ctx)
	if err != nil || !kept.isBefore(seen) {
		return kept.VoidBefore, err // the cached record was old, or another replica was faster
	}
	kept.Epoch = seen.Epoch + 1
	kept.VoidBefore = s.now()
	err = s.put(ctx, record, kept)
	if errors.Is(err, store.ErrConflict) {
		_, kept, err = s.epoch(ctx)
	}
	return kept.VoidBefore, err
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
