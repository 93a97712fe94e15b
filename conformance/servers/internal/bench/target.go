package bench

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
)

// A TokenKind is an access token that differs from a good one in one thing.
type TokenKind string

const (
	Good            TokenKind = "good"
	Expired         TokenKind = "expired"
	NotYetValid     TokenKind = "not yet valid"
	ForeignAudience TokenKind = "foreign audience"
	ForeignIssuer   TokenKind = "foreign issuer"
	WithoutScope    TokenKind = "without scope" // good, but for a scope that every request needs
	// good, with a scope in place of the one that every request needs, which contains it
	BroaderScope   TokenKind = "broader scope's"
	OtherUser      TokenKind = "another user's"    // good, of another principal than Good
	UnlistedClient TokenKind = "unlisted client's" // good, but of a client that the server is configured to refuse
	// good, but of a client without credentials, which the server is configured to refuse
	PublicClient TokenKind = "public client's"
	Refreshed    TokenKind = "refreshed" // good, of the principal of Good, and another token
)

// A Canary is a tool of the server under test whose runs can be counted, however the answer looks.
// It takes one argument, the string "marker", which it repeats in its result, and needs no other
// scope than every request does.
type Canary struct {
	Tool string // its name
	// Ran is how often the tool ran with a marker. It may be called by several goroutines.
	Ran func(marker string) int
}

// A Forwarded is a request that the server under test has sent on to what stands behind it: its
// upstream, an API that a tool calls, or the handler of its tools, which may send on what it is
// given.
type Forwarded struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Handles are two tools of the server under test: one hands out state, the other takes it. They
// need no other scope than every request does.
type Handles struct {
	// Make is the tool without arguments that makes state for its caller and whose result is the
	// text of its handle.
	Make string
	// Use is the tool with one argument, the string "handle", that does something with the state.
	Use string
}

// Rounds is a tool of the server under test that asks its caller for something before it does its
// work (MCP 2026-07-28, Multi Round-Trip Requests), and gives the caller state to bring back with
// the answer. It takes one argument, the string "marker", which is in its result, and needs no
// other scope than every request does.
type Rounds struct {
	Tool string // its name
	// Answers are what is answered to what it asks for, by the names that it gives them
	// (inputResponses).
	Answers map[string]any
	// Capabilities are what a client has to say that it can
	// (io.modelcontextprotocol/clientCapabilities). Nil means elicitation.
	Capabilities map[string]any
	// Once says that the state must not be good for a second time.
	Once bool
	// Expire lets a state get older than it may be. Nil means that it cannot be done.
	Expire func(state string)
}

// A Whoami is a tool of the server under test that tells its caller who that is. It needs no
// arguments, and no other scope than every request does.
type Whoami struct {
	Tool string // its name
	// Caller reads a name for the caller in the tool's result, as it stands in the answer (JSON):
	// the same for the same user, whatever the token.
	Caller func(result []byte) string
}

// A Target is the server under test.
type Target struct {
	// URL of the MCP endpoint.
	URL string
	// HTTPClient sends the requests. Its redirects are not followed, and its cookies are not used.
	// Nil means a plain one.
	HTTPClient *http.Client
	// Tokens supply access tokens by kind. A kind that is missing makes the checks that need it
	// skip. A supplier is asked anew for every check.
	Tokens map[TokenKind]func(ctx context.Context) (string, error)
	// Mint makes tokens with the issuer's key. Nil makes the checks that need it skip.
	Mint Mint
	// Canary is a tool that shows when it has run. Nil means that only answers tell what a request
	// did.
	Canary *Canary
	// Handles are tools with state. Nil means that the server has none.
	Handles *Handles
	// Rounds is a tool that asks back. Nil means that the server has none.
	Rounds *Rounds
	// Whoami is a tool that tells its caller who that is. Nil means that the server has none.
	Whoami *Whoami
	// Local are the machine's own addresses in networks, which a server that is for this machine
	// only must not listen on. Nil means that the server is not for this machine only.
	Local []string
	// TaskTool is a tool that can be called as a task (MCP 2025-11-25, Tasks), without arguments.
	// Empty means that the server has none.
	TaskTool string
	// Forwarded are the requests that the server has sent on so far because of calls of the canary.
	// Nil means that it is not shown what goes on behind the server.
	Forwarded func() []Forwarded
	// Fragile keeps the disruptive checks away, even from who asks for them.
	Fragile bool
	// Patience is how long a check waits for something to end, such as a stream whose token has
	// expired. Zero means 20 seconds, which is also the most.
	Patience time.Duration
	// Log is what the server has logged so far, at its most talkative. Nil means that it is not
	// shown.
	Log func() string
	// Fixture starts another server of the same kind with an issuer's keys in hand. Nil makes the
	// checks that need it skip.
	Fixture func(ctx context.Context) (*Fixture, error)
	// Revisions that the server claims to speak. Nil means that each is tried, and passed over if
	// the server says that it does not speak it.
	Revisions []check.Revision
}
