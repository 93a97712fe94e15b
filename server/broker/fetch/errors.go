package fetch

import "time"

// A Reason says why there is no document.
type Reason int

const (
	// Refused means that the URL, its host or its address is not allowed.
	Refused Reason = iota + 1
	// Withdrawn means that the host has no document at the URL any more: status 404 or 410.
	Withdrawn
	// Invalid means that there is a document, and that it is not a usable one.
	Invalid
	// Unreachable means that the host gave no answer that counts. A later attempt may succeed.
	Unreachable
	// TooMany means that a bound of the fetcher is reached. A later attempt may succeed.
	TooMany
)

// An Error says why there is no document. Its text is for a log: it may tell a stranger what the
// server's network looks like.
type Error struct {
	Reason Reason
	Err    error
	// RetryAfter is the time until another attempt is useful. Zero means that it is not known.
	RetryAfter time.Duration
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// MayPass reports whether the same request may succeed later, without a change of the document.
func (e *Error) MayPass() bool { return e.Reason == Unreachable || e.Reason == TooMany }
