// Package foreign runs servers of other projects in tests, and compares the verdicts of the
// conformance suite on them with snapshots. "make interop" installs the servers.
package foreign
