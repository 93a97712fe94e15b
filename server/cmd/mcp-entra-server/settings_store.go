package main

import (
	"strconv"

	"mcpentra/server/store"
)

// These bounds of STORE_MAX_RECORDS catch typing errors. A smaller store would lose clients between
// their registration and their first sign-in.
const (
	leastRecords = 1000
	mostRecords  = 100_000_000
)

// readMaxRecords reads how many records of each kind the store keeps.
func (s *settings) readMaxRecords() error {
	text := s.get("STORE_MAX_RECORDS")
	if text == "" {
		return nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < leastRecords || number > mostRecords {
		return s.wrong("STORE_MAX_RECORDS", "is %q: write a number from %d to %d, such as 1000000", text, leastRecords,
			mostRecords)
	}
	s.maxRecords = number
	return nil
}

// storeConfig returns the configuration of each kind of store.
func (s *settings) storeConfig() store.Config { return store.Config{MaxRecords: s.maxRecords} }
