package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// A driverStatement is a prepared statement of the driver itself. In database/sql, the same
// statement takes several locks, and copies each value once more. Only a goroutine that has the
// turn uses it.
type driverStatement struct{ preparedStatement }

type preparedStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// prepareDriver prepares a statement on a connection.
func prepareDriver(ctx context.Context, connection *sql.Conn, text string) (s driverStatement, err error) {
	err = connection.Raw(func(raw any) error {
		preparer, isPreparer := raw.(driver.ConnPrepareContext)
		if !isPreparer {
			return fmt.Errorf("want a connection that prepares statements, got %T", raw)
		}
		prepared, err := preparer.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		var isUsable bool
		s.preparedStatement, isUsable = prepared.(preparedStatement)
		if !isUsable {
			return fmt.Errorf("want a statement that takes a context, got %T", prepared)
		}
		return nil
	})
	return s, err
}

func (s driverStatement) close() {
	if s.preparedStatement != nil {
		_ = s.Close()
	}
}

// exec runs the statement and returns the number of rows that it has changed.
func (s driverStatement) exec(arguments ...driver.Value) (changed int64, err error) {
	// The context is never done: an interrupted statement could end the next caller's as well.
	result, err := s.ExecContext(context.Background(), named(arguments))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// record returns the record in the first row of the statement's answer, or ErrNotFound. Its columns
// are value, version, expires, source and group_name.
func (s driverStatement) record(kind, key string, arguments ...driver.Value) (Record, error) {
	rows, err := s.QueryContext(context.Background(), named(arguments))
	if err != nil {
		return Record{}, err
	}
	var columns [5]driver.Value
	err = rows.Next(columns[:])
	closeErr := rows.Close()
	switch {
	case closeErr != nil:
		return Record{}, closeErr
	case errors.Is(err, io.EOF):
		return Record{}, ErrNotFound
	case err != nil:
		return Record{}, err
	}
	record := Record{Kind: kind, Key: key}
	record.Value, _ = columns[0].([]byte) // an empty value is nil
	var expires int64
	var isComplete [4]bool
	record.Version, isComplete[0] = columns[1].(int64)
	expires, isComplete[1] = columns[2].(int64)
	record.Source, isComplete[2] = columns[3].(string)
	record.Group, isComplete[3] = columns[4].(string)
	if isComplete != [4]bool{true, true, true, true} {
		return Record{}, fmt.Errorf("want two numbers and two texts after the value, got %T, %T, %T and %T",
			columns[1], columns[2], columns[3], columns[4])
	}
	record.Expires = time.Unix(expires, 0)
	return record, nil
}

func named(arguments []driver.Value) []driver.NamedValue {
	values := make([]driver.NamedValue, len(arguments))
	for i, argument := range arguments {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: argument}
	}
	return values
}
