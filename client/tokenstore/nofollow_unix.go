//go:build unix

package tokenstore

import "syscall"

// noFollow keeps a link that somebody has planted from being opened.
const noFollow = syscall.O_NOFOLLOW
