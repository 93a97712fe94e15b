// Package postgres keeps the records of package store in PostgreSQL 13 or newer.
//
// Any number of processes may share one database. All records are in one table, and each change is
// one transaction. The row's version decides which of several changes wins. PostgreSQL tells all
// processes at once which records have ended (LISTEN and NOTIFY). If it cannot, their caches forget
// the records after store.MaxStale.
package postgres
