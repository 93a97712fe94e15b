// Package exchange has the HTTP client of checks, and describes HTTP exchanges in reports without
// credentials.
package exchange
