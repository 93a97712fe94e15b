package bench

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
)

// A TokenKind is a kind of token. Each kind except Good differs from a good access token in one
// thing.
type TokenKind string

// The kinds of tokens.
const (
	Good            TokenKind = "good"
	Expired         TokenKind = "expired"
	NotYetValid     TokenKind = "not yet valid"
	ForeignAudience TokenKind = "foreign audience"
	ForeignIssuer   TokenKind = "foreign issuer"
	// WithoutScope lacks a scope that every request requires.
	WithoutScope TokenKind = "without scope"
	// BroaderScope has a scope that includes the required one, in place of it.
	BroaderScope TokenKind = "broader scope"
	// OtherUser is a good token of another principal.
	OtherUser TokenKind = "another user"
	// UnlistedClient was issued to a client that the server is configured to refuse.
	UnlistedClient TokenKind = "unlisted client"
	// PublicClient was issued to a client without credentials, which the server is configured to
	// refuse.
	PublicClient TokenKind = "public client"
	// Refreshed is another good token of the principal of Good.
	Refreshed TokenKind = "refreshed"
	// ShortLived is another good token of the principal of Good. It expires within 25 seconds. Each
	// call makes a new one.
	ShortLived TokenKind = "short-lived"
	// Revoked was good until it was revoked (RFC 7009). It has not expired.
	Revoked TokenKind = "revoked"
	// RefreshToken is a refresh token of the principal of Good. It is not an access token.
	RefreshToken TokenKind = "refresh token"
	// IDToken is an ID token of the principal of Good. It is not an access token.
	IDToken TokenKind = "ID token"
)

// A Canary is a tool of the server under test whose runs can be counted, whatever the answer says.
// Its only argument is the string "marker", which its result repeats. It requires no other scope
// than every request.
type Canary struct {
	Tool string // its name
	// Ran returns how often the tool ran with a marker. It must be safe for concurrent use.
	Ran func(marker string) int
}

// A Forwarded is a request that the server under test has sent upstream: to another MCP server, to
// an API that a tool calls, or to the handler of its tools.
type Forwarded struct {
	URL    string
	Header http.Header
	Body   []byte
}

// Handles are two tools of the server under test: one makes state and returns a handle, the other
// uses it. They require no other scope than every request.
type Handles struct {
	// Make is the tool that makes state for its caller. It has no arguments, and the text of its
	// result is the handle.
	Make string
	// Use is the tool that uses the state. Its only argument is the string "handle".
	Use string
}

// Rounds is a tool of the server under test that asks its caller for input before it works (MCP
// 2026-07-28, Multi Round-Trip Requests). It may give its caller state to send back with the
// answer. Its only argument is the string "marker", which its result repeats. It requires no other
// scope than every request.
type Rounds struct {
	Tool string // its name
	// Answers are the answers to the tool's questions, by their names (inputResponses).
	Answers map[string]any
	// Capabilities are the capabilities that a client has to declare
	// (io.modelcontextprotocol/clientCapabilities). Nil means elicitation.
	Capabilities map[string]any
	// Once says that the state must work only once.
	Once bool
	// Expire lets a state expire, within 20 seconds. Nil means that the target cannot do that.
	Expire func(ctx context.Context, state string) error
}

// A Whoami is a tool of the server under test that names its caller. It has no arguments, and
// requires no other scope than every request.
type Whoami struct {
	Tool string // its name
	// Caller returns the caller's name from the tool's result (JSON). It is the same for every
	// token of a user.
	Caller func(result []byte) string
}

// A Target is the server under test.
type Target struct {
	// URL of the MCP endpoint.
	URL string
	// HTTPClient sends the requests. Its redirects are not followed, and its cookies are not used.
	// Nil means a plain one.
	HTTPClient *http.Client
	// Tokens supply access tokens by kind. A missing kind skips the checks that need it. Every
	// check asks for new tokens.
	Tokens map[TokenKind]func(ctx context.Context) (string, error)
	// Mint makes tokens with the issuer's key. Nil skips the checks that need it.
	Mint Mint
	// Canary is a tool that shows when it has run. Nil means that checks see only answers.
	Canary *Canary
	// Handles are tools with state. Nil means that the server has none.
	Handles *Handles
	// Rounds is a tool that asks for input. Nil means that the server has none.
	Rounds *Rounds
	// Whoami is a tool that names its caller. Nil means that the server has none.
	Whoami *Whoami
	// Local are the machine's addresses in networks. A server that is meant for its own machine
	// must not listen on them. Nil means that the server is meant for others too.
	Local []string
	// TaskTool is a tool without arguments that can be called as a task (MCP 2025-11-25, Tasks).
	// Empty means that the server has none.
	TaskTool string
	// Forwarded returns the requests that calls of the canary have sent upstream so far. Nil means
	// that checks cannot see them.
	Forwarded func() []Forwarded
	// Fragile skips the disruptive checks, even if they are selected.
	Fragile bool
	// Patience is how long a check waits for something to end, such as a stream whose token has
	// expired. Zero means 20 seconds, which is also the maximum.
	Patience time.Duration
	// Log returns the server's log so far, at its most verbose level. Nil means that checks cannot
	// see it.
	Log func() string
	// Fixture starts another server of the same kind whose issuer the check controls. Nil skips the
	// checks that need it.
	Fixture func(ctx context.Context) (*Fixture, error)
	// Revisions that the server claims to speak. It must say so too. Nil tries each revision that
	// the server says it speaks.
	Revisions []check.Revision
	// FirstAnswer is how long the server may take for its first answer. Zero means ten seconds. A
	// longer time holds for each answer before the checks, and the checks get more time in
	// proportion.
	FirstAnswer time.Duration

	survey *lazySurvey // nil until Survey
}
