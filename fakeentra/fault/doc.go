// Package fault holds what can be made to go wrong at a fake Entra ID, as a script: which request
// is struck, the how many-th, how often, and what becomes of its answer. A [Fault] is data, the
// same in Go, in a directory file and in the admin API; a [Script] matches requests with faults in
// the order in which they were added.
//
// [Chaos] is for long runs: it spoils a share of everything, the same share of the same requests
// under one seed.
package fault
