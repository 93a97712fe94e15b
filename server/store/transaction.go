package store

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
)

// A transaction makes the changes of one or more callers durable at once. Readers see them after
// the commit.
type transaction struct {
	file    *file
	now     int64 // seconds
	counts  map[string]count
	changes []change // of the records in memory
}

// A change is the newest version of a record, or its end.
type change struct {
	record  Record
	removed bool
}

// A count has the number of records of a kind in the file, including expired ones.
type count struct {
	records int
	sourced int // those with a source
}

// runTogether applies the writes of a batch in one transaction. It sets the errors of the single
// writes. If it returns an error, nothing has happened. The caller has the turn.
func (f *file) runTogether(batch []*pendingWrite) error {
	if _, err := f.statements.begin.exec(); err != nil {
		return f.explain(err)
	}
	tx := &transaction{file: f, now: f.config.Time().Unix(), counts: map[string]count{}}
	for _, pending := range batch {
		pending.err = nil
		if err := pending.ctx.Err(); err != nil {
			pending.err = fmt.Errorf("store: %w", err)
			continue
		}
		err := pending.apply(tx)
		isExpected := errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict)
		if err != nil && !isExpected {
			f.rollBack()
			return f.explain(err)
		}
		pending.err = err
	}
	if _, err := f.statements.commit.exec(); err != nil {
		f.rollBack()
		return f.explain(err)
	}
	maps.Copy(f.counts, tx.counts)
	f.recent.apply(tx.changes)
	return nil
}

func (f *file) rollBack() {
	_, _ = f.statements.rollback.exec() // SQLite may have done it itself
	clear(f.crowds)
}

func (tx *transaction) put(record Record) error {
	var err error
	if record.Version == 0 {
		err = tx.create(record)
	} else {
		err = tx.change(record)
	}
	if err != nil {
		return err
	}
	record.Version++
	record.Limit = 0
	record.Once = false
	tx.changes = append(tx.changes, change{record: record})
	return nil
}

// change stores a new version of a record.
func (tx *transaction) change(record Record) error {
	statements := &tx.file.statements
	expires := record.Expires.Unix()
	replaced, err := statements.replace.exec(
		record.Value, record.Kind, record.Key, record.Version, tx.now, expires, record.Source, record.Group)
	if err != nil || replaced == 1 {
		return err
	}
	var source string
	err = statements.sourceOf.QueryRow(record.Kind, record.Key, record.Version, tx.now).Scan(&source)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrConflict
	} else if err != nil {
		return err
	}
	if err := tx.add(record.Kind, source, -1); err != nil {
		return err
	}
	if err := tx.add(record.Kind, record.Source, 1); err != nil {
		return err
	}
	_, err = statements.change.exec(record.Value, expires, record.Source, record.Group, record.Kind, record.Key)
	if err != nil {
		return err
	}
	return tx.watchCrowd(record.Kind, record.Source)
}

// take removes a record. It returns ErrNotFound for a record that has expired.
func (tx *transaction) take(kind, key string) (Record, error) {
	record, err := tx.file.statements.remove.record(kind, key, kind, key)
	if err != nil {
		return Record{}, err
	}
	tx.changes = append(tx.changes, change{record: record, removed: true})
	if err := tx.add(kind, record.Source, -1); err != nil {
		return Record{}, err
	}
	if record.Expires.Unix() <= tx.now {
		return Record{}, ErrNotFound // removing an expired record changes nothing
	}
	return record, nil
}

func (tx *transaction) remove(kind, key string) error {
	_, err := tx.take(kind, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// count returns the number of records of a kind. It asks the file once, and then follows the
// changes.
func (tx *transaction) count(kind string) (count, error) {
	if known, found := tx.counts[kind]; found {
		return known, nil
	}
	if known, found := tx.file.counts[kind]; found {
		return known, nil
	}
	var asked count
	err := tx.file.statements.count.QueryRow(kind).Scan(&asked.records, &asked.sourced)
	if err == nil {
		tx.counts[kind] = asked
	}
	return asked, err
}

// add changes the count of a kind by one record.
func (tx *transaction) add(kind, source string, by int) error {
	known, err := tx.count(kind)
	if err != nil {
		return err
	}
	known.records += by
	if source != "" {
		known.sourced += by
	}
	tx.counts[kind] = known
	return nil
}
