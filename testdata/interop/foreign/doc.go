// Package foreign runs servers of other projects in tests. It compares the verdicts of the
// conformance suite on software of others with snapshots. "make interop" installs it.
package foreign
