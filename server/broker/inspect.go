package broker

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mcpentra/server/store"
)

// A Report describes the records of a store.
type Report struct {
	// Kinds counts the records of each kind.
	Kinds map[string]int
	// Keys counts the records that each key encrypts, by the names of Keys.Names. Names of other
	// keys may be among them.
	Keys map[string]int
	// Deployment is what Bind has bound the store to, or empty.
	Deployment string
	// Epoch is the store's epoch, and NotedEpoch the one that the keys file notes. A store with a
	// lower epoch than the file comes from a backup.
	Epoch, NotedEpoch int64
	// VoidBefore is the time of the last restore. Codes and grants from before it have ended.
	VoidBefore time.Time
	// Faults are the records that cannot be read. At most maxFaults are listed; FaultCount counts
	// all.
	Faults     []Fault
	FaultCount int
}

// A Fault is a record that cannot be read.
type Fault struct {
	Kind, Key string
	Err       error
}

func (f Fault) Error() string { return fmt.Sprintf("%s %s: %v", f.Kind, f.Key, f.Err) }

func (f Fault) Unwrap() error { return f.Err }

// maxFaults bounds the faults in a Report.
const maxFaults = 100

// Records counts all records.
func (r *Report) Records() int {
	records := 0
	for _, count := range r.Kinds {
		records += count
	}
	return records
}

// Inspect reads all records of a store. It checks that the keys decrypt them, and that their values
// parse. Progress, if it is not nil, gets the number of records so far. The error is the store's or
// the context's; faults of records are in the Report.
func Inspect(ctx context.Context, kept store.Store, keys *Keys, progress func(records int)) (*Report, error) {
	report := &Report{Kinds: map[string]int{}, Keys: map[string]int{}}
	records := 0
	err := store.Walk(ctx, kept, func(record store.Record) error {
		records++
		if progress != nil {
			progress(records)
		}
		report.add(record, keys)
		return nil
	})
	return report, err
}

func (r *Report) add(record store.Record, keys *Keys) {
	r.Kinds[record.Kind]++
	if len(record.Value) >= keyIDLength {
		r.Keys[hex.EncodeToString(record.Value[:keyIDLength])]++
	}
	text, err := keys.open(record.Value, placeOf(record))
	if err == nil {
		err = r.parse(record, text, keys)
	}
	if err == nil {
		return
	}
	r.FaultCount++
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, Fault{Kind: record.Kind, Key: record.Key, Err: err})
	}
}

// parse checks that a decrypted value has the form of its kind. Of a kind that it does not know, it
// checks only that the value is JSON.
func (r *Report) parse(record store.Record, text []byte, keys *Keys) error {
	var (
		bound boundDeployment
		epoch epochRecord
	)
	into, known := map[string]any{
		kindClient:      &client{},
		kindTransaction: &transaction{},
		kindCode:        &authorizationCode{},
		kindGrant:       &grant{},
		kindConsent:     &consentRecord{},
		kindSigningKey:  &signingKeyRecord{},
		kindDeployment:  &bound,
		kindMaintenance: &rewriting{},
		kindDemand:      &demand{},
		kindEpoch:       &epoch,
		kindDevice:      &deviceAuthorization{},
		kindUserCode:    &userCodeRecord{},
		kindAppToken:    &appTokenRecord{},
		kindPerson:      &personRecord{},
	}[record.Kind]
	if !known {
		into = new(any)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.New("the value does not have the form of its kind")
	}
	switch record.Kind {
	case kindDeployment:
		r.Deployment = bound.Deployment
	case kindEpoch:
		r.Epoch = epoch.Epoch
		r.VoidBefore = epoch.VoidBefore
		r.NotedEpoch = keys.ring.Load().epochs[epoch.Store]
	}
	return nil
}

// Admit checks that the keys decrypt a record that comes from another store, and gives it the marks
// that no store returns.
func (k *Keys) Admit(record *store.Record) error {
	if _, err := k.open(record.Value, placeOf(*record)); err != nil {
		return fmt.Errorf("%s %s: %w", record.Kind, record.Key, err)
	}
	record.Once = comesOnce(record.Kind)
	return nil
}

// lasting is the expiry of records that stay with a store.
func lasting(now time.Time) time.Time { return now.AddDate(100, 0, 0) }
