package store

import "database/sql"

// create inserts a record after it has made room for it.
func (tx *transaction) create(record Record) error {
	known, err := tx.count(record.Kind)
	if err != nil {
		return err
	}
	if tx.file.config.Full(record, known.records, known.sourced) {
		// A conflict must not push out other records.
		_, err := tx.file.statements.get.record(record.Kind, record.Key, record.Kind, record.Key, tx.now)
		switch err {
		case nil:
			return ErrConflict
		case ErrNotFound:
		default:
			return err
		}
		if err := tx.makeRoom(record); err != nil {
			return err
		}
	}
	inserted, err := tx.insert(record)
	if err != nil {
		return err
	}
	if !inserted {
		// An expired record under the key does not count.
		expired, err := tx.forget(record.Kind, tx.file.statements.removeExpired, record.Kind, record.Key, tx.now)
		if err != nil {
			return err
		}
		if expired == 0 {
			return ErrConflict
		}
		if _, err := tx.insert(record); err != nil {
			return err
		}
	}
	if err := tx.watchCrowd(record.Kind, record.Source); err != nil {
		return err
	}
	return tx.add(record.Kind, record.Source, 1)
}

func (tx *transaction) insert(record Record) (bool, error) {
	inserted, err := tx.file.statements.insert.exec(
		record.Kind, record.Key, record.Source, record.Group, record.Expires.Unix(), record.Value)
	return inserted == 1, err
}

// forget runs a statement that deletes records of a kind. It returns how many it has deleted.
func (tx *transaction) forget(kind string, statement *sql.Stmt, arguments ...any) (deleted int, err error) {
	rows, err := statement.Query(arguments...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		gone := Record{Kind: kind}
		if err := rows.Scan(&gone.Key, &gone.Source); err != nil {
			return deleted, err
		}
		if err := tx.add(kind, gone.Source, -1); err != nil {
			return deleted, err
		}
		tx.changes = append(tx.changes, change{record: gone, removed: true})
		deleted++
	}
	return deleted, rows.Err()
}

// sweep deletes expired records of a kind, at most sweepStep.
func (tx *transaction) sweep(kind string) (deleted int, err error) {
	return tx.forget(kind, tx.file.statements.sweep, kind, tx.now, sweepStep)
}

const (
	// sweepStep bounds the expired records that one change deletes. Other requests wait meanwhile.
	sweepStep = 200
	// maxForgotten bounds how often one new record can push out others. Once is enough unless
	// records have expired or a bound was lowered.
	maxForgotten = 100
)

// makeRoom deletes expired records of a full kind. If nothing has expired, it deletes records by
// the rule of Record.Source.
func (tx *transaction) makeRoom(created Record) error {
	for range maxForgotten {
		known, err := tx.count(created.Kind)
		if err != nil || !tx.file.config.Full(created, known.records, known.sourced) {
			return err
		}
		expired, err := tx.sweep(created.Kind)
		switch {
		case err != nil:
			return err
		case expired > 0:
		case known.sourced == 0:
			_, err = tx.forget(created.Kind, tx.file.statements.forgetAny, created.Kind)
		default:
			err = tx.forgetSourced(created.Kind, known.sourced)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
