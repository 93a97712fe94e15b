package store

// A crowd is the sources that all have the most records of a full kind, as many each. Counting the
// sources of a large kind takes long, so one count serves until each of them has lost a record.
type crowd struct {
	records int      // of each source
	sources []string // the source whose record expires first comes first
}

const (
	// maxCrowd bounds the names that are remembered of one kind.
	maxCrowd = 10_000
	// largeKind is the number of records from which a crowd is remembered. In a smaller kind each
	// count also tells which record expires first now.
	largeKind = 100
)

// ofCrowd returns a source that has the most records of a kind, if an earlier count tells.
func (tx *transaction) ofCrowd(kind string) (source string, found bool, err error) {
	known := tx.file.crowds[kind]
	for known != nil && len(known.sources) > 0 {
		source = known.sources[0]
		known.sources = known.sources[1:]
		records, err := tx.countSource(kind, source, known.records)
		if err != nil || records == known.records {
			return source, err == nil, err
		}
	}
	delete(tx.file.crowds, kind)
	return "", false, nil
}

// countSource counts the records of a source, at most a bound.
func (tx *transaction) countSource(kind, source string, most int) (records int, err error) {
	err = tx.file.statements.countSource.QueryRow(kind, source, most).Scan(&records)
	return records, err
}

// watchCrowd forgets a crowd when one source has got more records than its members.
func (tx *transaction) watchCrowd(kind, source string) error {
	known := tx.file.crowds[kind]
	if known == nil || source == "" {
		return nil
	}
	records, err := tx.countSource(kind, source, known.records+1)
	if err != nil || records > known.records {
		delete(tx.file.crowds, kind)
	}
	return err
}

// forgetSourced deletes records of a source that has the most records of a kind.
func (tx *transaction) forgetSourced(kind string, sourced int) error {
	source, found, err := tx.ofCrowd(kind)
	if err != nil {
		return err
	}
	records := 1
	if !found {
		source, records, err = tx.largestSource(kind, sourced)
		if err != nil {
			return err
		}
	}
	_, err = tx.forget(kind, tx.file.statements.forgetSourced, kind, source, records)
	return err
}

// largestSource returns the source that has the most records of a kind, and how many of them go: a
// hundredth of a large kind, if the source has that many more records than every other. If several
// sources have the most, it remembers the others.
func (tx *transaction) largestSource(kind string, sourced int) (source string, surplus int, err error) {
	rows, err := tx.file.statements.largestSources.Query(kind, maxCrowd)
	if err != nil {
		return "", 0, err
	}
	defer rows.Close()
	var most, second int
	equals := &crowd{}
	for rows.Next() {
		var name string
		var records int
		if err := rows.Scan(&name, &records); err != nil {
			return "", 0, err
		}
		if most == 0 {
			source = name
			most = records
			continue
		}
		if records < most {
			second = records
			break
		}
		equals.sources = append(equals.sources, name)
	}
	if err := rows.Err(); err != nil {
		return "", 0, err
	}
	if len(equals.sources) > 0 {
		second = most
	}
	if len(equals.sources) > 0 && sourced >= largeKind {
		equals.records = most
		tx.file.crowds[kind] = equals
	}
	return source, max(1, min(most-second, sourced/100)), nil
}
