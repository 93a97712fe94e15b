package servers

import (
	"context"

	"mcpentra/conformance/servers/internal/bench"
)

// A Target is the server under test. Only URL is required. The more a target supplies, the more
// checks can be tried: a nil func, map or pointer skips the checks that need it.
//
//	URL         string                of the MCP endpoint
//	HTTPClient  *http.Client          sends the requests; nil means a plain one
//	Tokens      map[TokenKind]func(context.Context) (string, error)
//	Mint        Mint                  makes tokens with the issuer's key
//	Canary      *Canary               a tool that shows when it has run
//	Handles     *Handles              tools with state
//	Rounds      *Rounds               a tool that asks for input
//	Whoami      *Whoami               a tool that names its caller
//	TaskTool    string                a tool that can be called as a task
//	Local       []string              the machine's network addresses, for a local server
//	Forwarded   func() []Forwarded    the requests that the server has sent upstream
//	Fragile     bool                  skips the disruptive checks
//	Patience    time.Duration         how long checks wait; at most 20 seconds, the default
//	Log         func() string         the server's log so far
//	Fixture     func(context.Context) (*Fixture, error)
//	Revisions   []check.Revision      that it claims to speak; nil tries those it names
//	FirstAnswer time.Duration         for the first answer; 10 seconds by default, 30 in Test
type Target = bench.Target

// A TokenKind is a kind of token. Each kind except Good differs from a good access token in one
// thing.
type TokenKind = bench.TokenKind

// A Canary is a tool of the server under test whose runs can be counted, whatever the answer says.
// Its only argument is the string "marker", which its result repeats. It requires no other scope
// than every request.
type Canary = bench.Canary

// Handles are two tools of the server under test: one makes state and returns a handle, the other
// uses it. They require no other scope than every request.
type Handles = bench.Handles

// Rounds is a tool of the server under test that asks its caller for input before it works (MCP
// 2026-07-28, Multi Round-Trip Requests). It may give its caller state to send back with the
// answer. Its only argument is the string "marker", which its result repeats. It requires no other
// scope than every request.
type Rounds = bench.Rounds

// A Whoami is a tool of the server under test that names its caller. It has no arguments, and
// requires no other scope than every request.
type Whoami = bench.Whoami

// A Forwarded is a request that the server under test has sent upstream: to another MCP server, to
// an API that a tool calls, or to the handler of its tools.
type Forwarded = bench.Forwarded

// A Fixture is a server that is started for one check. The check controls its issuer's key set and
// discovery document. On a shared server every other check would notice, and the server might not
// fetch a document again for minutes.
type Fixture = bench.Fixture

// Mint makes an access token with the issuer's key. Without edits the token is good. It is safe for
// concurrent use.
type Mint = bench.Mint

// Edits are the differences between a token and a good one. They are applied from top to bottom.
type Edits = bench.Edits

// A Need is something that a check requires of a target, besides tokens.
type Need = bench.Need

// The kinds of tokens. WithoutScope lacks a scope that every request requires, and BroaderScope has
// one that includes it. The server is configured to refuse UnlistedClient and PublicClient.
// Refreshed and ShortLived are other good tokens of the same principal. ShortLived expires within
// 25 seconds. RefreshToken and IDToken are not access tokens.
const (
	Good            = bench.Good
	Expired         = bench.Expired
	NotYetValid     = bench.NotYetValid
	ForeignAudience = bench.ForeignAudience
	ForeignIssuer   = bench.ForeignIssuer
	WithoutScope    = bench.WithoutScope
	BroaderScope    = bench.BroaderScope
	OtherUser       = bench.OtherUser
	UnlistedClient  = bench.UnlistedClient
	PublicClient    = bench.PublicClient
	Refreshed       = bench.Refreshed
	ShortLived      = bench.ShortLived
	Revoked         = bench.Revoked
	RefreshToken    = bench.RefreshToken
	IDToken         = bench.IDToken
)

// The needs of checks, besides tokens.
const (
	IssuerKey     = bench.IssuerKey
	TimedTokens   = bench.TimedTokens
	OwnServer     = bench.OwnServer
	CanaryTool    = bench.CanaryTool
	HandleTools   = bench.HandleTools
	RoundsTool    = bench.RoundsTool
	TaskTool      = bench.TaskTool
	WhoamiTool    = bench.WhoamiTool
	LocalOnly     = bench.LocalOnly
	ForwardedView = bench.ForwardedView
)

// Remint returns a Mint for issuers whose access tokens are JWTs. It takes the header and the
// claims of a good token, applies the edits, and signs with the issuer's key: a crypto.Signer, or
// the bytes of the secret for HS256, HS384 and HS512.
func Remint(key any, good func(ctx context.Context) (string, error)) Mint {
	return bench.Remint(key, good)
}
