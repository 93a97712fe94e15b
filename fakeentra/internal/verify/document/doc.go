// Package document reads JSON without losing the order of its members, which is part of what Entra
// ID sends.
package document
