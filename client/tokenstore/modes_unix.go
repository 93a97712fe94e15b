//go:build unix

package tokenstore

import "syscall"

const (
	// noFollow makes the opening of a symbolic link fail, because another user may have planted it.
	noFollow = syscall.O_NOFOLLOW
	// hasModes says that a file's mode decides who can read it.
	hasModes = true
)
