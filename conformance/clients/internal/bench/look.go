package bench

import (
	"sync"

	"mcpentra/conformance/check"
)

// A Look is what a client does at one revision in a lab without faults.
type Look struct {
	// Contacts means that it sends a request to the MCP server.
	Contacts bool
	// Asks means that the MCP server challenges it before it gets a token.
	Asks bool
	// Registers means that it registers itself.
	Registers bool
	// Identity is how it gets its client ID.
	Identity Identity
	// SignsIn means that it gets a token.
	SignsIn bool
	// Connects means that the MCP server accepts a request of it.
	Connects bool
	// Lists means that it gets the list of tools.
	Lists bool
	// Calls means that it calls the tool.
	Calls bool
	// Redirect is the redirect URI of its last sign-in, if the client shows pages to the person.
	Redirect string
	// Err is the error that it ended with. It is never nil.
	Err error
}

// An Identity is how a client gets its client ID.
type Identity string

const (
	// Registered is a client that registers itself. It is the zero value.
	Registered Identity = ""
	// Configured is a client that signs in only with a client ID of its task.
	Configured Identity = "configured"
	// Documented is a client that signs in only with its client ID metadata document.
	Documented Identity = "documented"
)

// A Need is something that a client must do in a lab without faults, so that a check can judge it.
type Need string

const (
	Asking      Need = "waits for the challenge of the MCP server before it signs in"
	Registering Need = "registers itself"
	Secret      Need = "gets a secret at an authorization server"
	Connecting  Need = "uses its token"
	Listing     Need = "lists the tools"
	Calling     Need = "calls the tool"
)

// Does reports whether the client does what a check needs.
func (l Look) Does(need Need) bool {
	switch need {
	case Asking:
		return l.Asks
	case Registering:
		return l.Registers
	case Secret:
		return l.Identity != Documented
	case Connecting:
		return l.Connects
	case Listing:
		return l.Lists
	case Calling:
		return l.Calls
	}
	return false
}

// Looks remembers the looks at one client, and which check reports what they found. It is safe for
// concurrent use.
type Looks struct {
	mu       sync.Mutex
	looks    map[lookKey]func() Look
	reporter string            // the ID of the check that reports; empty means the first that asks
	reported map[string]string // the name of a check by reason
}

// A lookKey is a revision that the server of the lab speaks, without authorization if open is set.
type lookKey struct {
	revision check.Revision
	open     bool
}

// At returns the look at a revision, without authorization if open is set. The first call looks.
func (l *Looks) At(revision check.Revision, open bool, look func() Look) Look {
	l.mu.Lock()
	if l.looks == nil {
		l.looks = map[lookKey]func() Look{}
	}
	key := lookKey{revision, open}
	once, found := l.looks[key]
	if !found {
		once = sync.OnceValue(look)
		l.looks[key] = once
	}
	l.mu.Unlock()
	return once()
}

// Reports returns the name of the check that reports a reason. A check asks with its ID, and with
// its name, which has the revision if the rule has EachRevision.
func (l *Looks) Reports(reason, id, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reporter != "" && l.reporter != id {
		return l.reporter
	}
	if l.reported == nil {
		l.reported = map[string]string{}
	}
	if l.reported[reason] == "" {
		l.reported[reason] = name
	}
	return l.reported[reason]
}

// NotStarted means that the program of a client could not be started.
type NotStarted struct{ Err error }

func (e *NotStarted) Error() string { return "the client does not start: " + e.Err.Error() }

func (e *NotStarted) Unwrap() error { return e.Err }
