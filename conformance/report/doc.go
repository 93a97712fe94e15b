// Package report prints the results of a run for people.
package report
