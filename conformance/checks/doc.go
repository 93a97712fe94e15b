// Package checks holds the checks, a file for each topic of the specification. All lists them.
package checks
