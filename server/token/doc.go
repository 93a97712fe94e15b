// Package token verifies bearer JWTs strictly and keeps the keys that do it.
package token
