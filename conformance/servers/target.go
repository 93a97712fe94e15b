package servers

import (
	"context"
	"crypto"

	"mcpentra/conformance/servers/internal/bench"
)

// A Target is the server under test. Only URL is required; what else it supplies decides what can
// be tried.
//
//	URL         string                  of the MCP endpoint
//	HTTPClient  *http.Client            sends the requests; nil means a plain one
//	Tokens      map[TokenKind]func(context.Context) (string, error)
//	Mint        Mint                    makes tokens with the issuer's key
//	Canary      *Canary                 a tool that shows when it has run
//	Handles     *Handles                tools with state
//	Rounds      *Rounds                 a tool that asks back
//	Whoami      *Whoami                 a tool that tells its caller who that is
//	TaskTool    string                  a tool that can be called as a task
//	Local       []string                the machine's addresses, for a server that is for this machine only
//	Forwarded   func() []Forwarded      what the server has sent on so far
//	Fragile     bool                    keeps the disruptive checks away
//	Patience    time.Duration           how long to wait for something to end; at most 20 seconds, the default
//	Log         func() string           what the server has logged so far
//	Fixture     func(context.Context) (*Fixture, error)
//	Revisions   []check.Revision        that the server claims to speak; nil means that each is tried
//
// A nil func, map or pointer makes the checks that need it skip.
type Target = bench.Target

// A TokenKind is an access token that differs from a good one in one thing.
type TokenKind = bench.TokenKind

// A Canary is a tool of the server under test whose runs can be counted, however the answer looks.
// It takes one argument, the string "marker", which it repeats in its result, and needs no other
// scope than every request does.
type Canary = bench.Canary

// Handles are two tools of the server under test: one hands out state, the other takes it. They
// need no other scope than every request does.
type Handles = bench.Handles

// Rounds is a tool of the server under test that asks its caller for something before it does its
// work (MCP 2026-07-28, Multi Round-Trip Requests), and gives the caller state to bring back with
// the answer. It takes one argument, the string "marker", which is in its result, and needs no
// other scope than every request does.
type Rounds = bench.Rounds

// A Whoami is a tool of the server under test that tells its caller who that is. It needs no
// arguments, and no other scope than every request does.
type Whoami = bench.Whoami

// A Forwarded is a request that the server under test has sent on to what stands behind it: its
// upstream, an API that a tool calls, or the handler of its tools, which may send on what it is
// given.
type Forwarded = bench.Forwarded

// A Fixture is a server that is started for one check, with an issuer whose key set and discovery
// document are in the check's hands. What a check does to them would be felt by all others, and
// what a server has fetched once it may not fetch again for minutes.
type Fixture = bench.Fixture

// Mint makes an access token with the issuer's key. Without edits the token is good. Several
// goroutines may use it.
type Mint = bench.Mint

// Edits are what a token differs in from a good one. They are applied from top to bottom.
type Edits = bench.Edits

// A Need is something that a target has to supply for a check to be possible, besides tokens.
type Need = bench.Need

// The kinds of tokens. Each but Good differs from a good one in one thing.
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
)

// What a check may need besides tokens.
const (
	IssuerKey     = bench.IssuerKey
	OwnServer     = bench.OwnServer
	CanaryTool    = bench.CanaryTool
	HandleTools   = bench.HandleTools
	RoundsTool    = bench.RoundsTool
	TaskTool      = bench.TaskTool
	WhoamiTool    = bench.WhoamiTool
	LocalOnly     = bench.LocalOnly
	ForwardedView = bench.ForwardedView
)

// Remint makes tokens of good ones: with the same header and claims but for the edits, signed with
// the issuer's private key. It is a Mint for issuers whose access tokens are JWTs.
func Remint(key crypto.Signer, good func(ctx context.Context) (string, error)) Mint {
	return bench.Remint(key, good)
}
