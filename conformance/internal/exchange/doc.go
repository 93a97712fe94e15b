// Package exchange has the HTTP client of checks and its time limits, and describes HTTP exchanges
// in reports without credentials.
package exchange
