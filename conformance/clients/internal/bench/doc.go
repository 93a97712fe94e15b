// Package bench has the client under test, its tasks, and the input of a check. Package lab has the
// environment in which the client runs.
package bench
