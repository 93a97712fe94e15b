// Package report writes the results of fakeentra verify for a terminal and for an issue.
package report
