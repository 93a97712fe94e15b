package store

import (
	"context"
	"database/sql"
)

// statements are the prepared statements of the requests.
type statements struct {
	begin, commit, rollback driverStatement

	get     driverStatement
	insert  driverStatement
	replace driverStatement // changes the value only, so no index changes
	change  driverStatement
	remove  driverStatement

	sourceOf      *sql.Stmt
	removeExpired *sql.Stmt

	count          *sql.Stmt
	largestSources *sql.Stmt
	countSource    *sql.Stmt
	sweep          *sql.Stmt
	forgetAny      *sql.Stmt
	forgetSourced  *sql.Stmt
}

// ofDriver returns the statements of almost every request.
func (s *statements) ofDriver() map[*driverStatement]string {
	return map[*driverStatement]string{
		&s.begin:    "BEGIN IMMEDIATE",
		&s.commit:   "COMMIT",
		&s.rollback: "ROLLBACK",
		&s.get: `SELECT value, version, expires, source, group_name FROM records
			WHERE kind = ? AND key = ? AND expires > ?`,
		&s.insert: `INSERT INTO records (kind, key, source, group_name, version, expires, value)
			VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
		&s.replace: `UPDATE records SET value = ?, version = version + 1
			WHERE kind = ? AND key = ? AND version = ? AND expires > ?
				AND expires = ? AND source = ? AND group_name = ?`,
		&s.change: `UPDATE records SET value = ?, version = version + 1, expires = ?, source = ?, group_name = ?
			WHERE kind = ? AND key = ?`,
		&s.remove: `DELETE FROM records WHERE kind = ? AND key = ?
			RETURNING value, version, expires, source, group_name`,
	}
}

func (s *statements) others() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&s.sourceOf:      "SELECT source FROM records WHERE kind = ? AND key = ? AND version = ? AND expires > ?",
		&s.removeExpired: "DELETE FROM records WHERE kind = ? AND key = ? AND expires <= ? RETURNING key, source",
		&s.count: `SELECT count(*), count(nullif(source, '')) FROM records INDEXED BY records_by_source
			WHERE kind = ?`,
		&s.largestSources: `SELECT source, count(*) FROM records INDEXED BY records_by_source
			WHERE kind = ? AND source > '' GROUP BY source ORDER BY count(*) DESC, min(expires) LIMIT ?`,
		&s.countSource: `SELECT count(*) FROM (SELECT 1 FROM records INDEXED BY records_by_source
			WHERE kind = ? AND source = ? LIMIT ?)`,
		&s.sweep: `DELETE FROM records WHERE rowid IN (
			SELECT rowid FROM records WHERE kind = ? AND expires <= ? ORDER BY expires LIMIT ?) RETURNING key, source`,
		&s.forgetAny: `DELETE FROM records WHERE rowid = (
			SELECT rowid FROM records WHERE kind = ? ORDER BY expires LIMIT 1) RETURNING key, source`,
		&s.forgetSourced: `DELETE FROM records WHERE rowid IN (
			SELECT rowid FROM records INDEXED BY records_by_source
			WHERE kind = ? AND source = ? ORDER BY expires LIMIT ?) RETURNING key, source`,
	}
}

func (s *statements) prepare(ctx context.Context, connection *sql.Conn) (err error) {
	for statement, text := range s.ofDriver() {
		*statement, err = prepareDriver(ctx, connection, text)
		if err != nil {
			return err
		}
	}
	for statement, text := range s.others() {
		*statement, err = connection.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *statements) close() {
	for statement := range s.ofDriver() {
		statement.close()
	}
	for statement := range s.others() {
		_ = (*statement).Close()
	}
}
