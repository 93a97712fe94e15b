//go:build !unix

package tokenstore

// These systems let only administrators create links, and have access lists in place of modes.
const (
	noFollow = 0
	hasModes = false
)
