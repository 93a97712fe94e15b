// Package report writes what came of a run for people to read.
package report
