// Package evidence keeps the exchanges of a check for its report.
package evidence
