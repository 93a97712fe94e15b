package issuers

import "mcpentra/conformance/issuers/internal/bench"

// A Target is the authorization server under test. Only URL is required. The more a target
// supplies, the more checks can be tried: a nil func or an empty value skips the checks that need
// it.
//
//	URL            string                the issuer identifier
//	HTTPClient     *http.Client          sends the requests; nil means a plain one
//	Person         Person                opens a browser in which a script signs in
//	Open           func(context.Context, string) error  shows a real person a page
//	SignInTimeout  time.Duration         for a real person; five minutes by default
//	FirstAnswer    time.Duration         for the first answer; 10 seconds by default, 30 in Test
//	Clients        []Client              registered beforehand
//	KeyClient      *KeyClient            registered beforehand with a key (private_key_jwt)
//	App            *Client               calls for itself (client_credentials)
//	Resource       string                that tokens can be issued for (RFC 8707)
//	OtherResource  string                another one
//	Scopes         []string              to ask for
//	Advance        func(time.Duration)   moves the server's clock
//	Grace          time.Duration         how long a rotated refresh token may be used again
//	Documents      *Documents            serves the documents of clients whose ID is a URL
//	Upstream       *rig.Provider         the third party where the server's people sign in
//	Start          func(context.Context, string) (*Started, error)  starts another server
//	Fragile        bool                  skips the disruptive checks
//	Revisions      []check.Revision      of MCP that the server is meant for; nil means all
type Target = bench.Target

// A Started server is a server that was started for one check.
type Started = bench.Started

// A Client is a client of the authorization server.
type Client = bench.Client

// A KeyClient is a client that authenticates with assertions (private_key_jwt). A target needs its
// Client and its Key. The checks choose the algorithm by the key if it is empty.
type KeyClient = bench.KeyClient

// A Person opens a new browser with a person, whose requests go through a transport. The browser
// keeps its cookies from visit to visit.
type Person = bench.Person

// A Visit opens an address, and continues through the pages of the server until the browser is sent
// to the client, or until nothing is left to do. A person who declines signs in, and then declines
// the client's request.
type Visit = bench.Visit

// Documents serves client ID metadata documents. The target routes the requests that the
// authorization server sends for client IDs to it, whatever their host. A target without
// that route has all documents below one address.
type Documents = bench.Documents

// NewDocuments returns a handler without documents. Each document will have a host of its own.
func NewDocuments() *Documents { return bench.NewDocuments() }

// NewDocumentsAt returns a handler without documents. All documents will be below base, an https
// URL without a path, for example https://127.0.0.1:8443. The authorization server has to accept
// documents of that host.
func NewDocumentsAt(base string) *Documents { return bench.NewDocumentsAt(base) }

// Unusable means that the target cannot be tested: it gives no answer.
type Unusable = bench.Unusable

// A Need is something that a check requires of a target.
type Need = bench.Need

// The needs of checks.
const (
	SignIn   = bench.SignIn
	Scripted = bench.Scripted
	Clock    = bench.Clock
	Resource = bench.Resource
	Another  = bench.Another
	Scopes   = bench.Scopes
	App      = bench.App

	DocumentHost = bench.DocumentHost
	AllHosts     = bench.AllHosts
	ThirdParty   = bench.ThirdParty
	Fixture      = bench.Fixture
)

// ScriptedPerson returns a person who types values into fields, by the names of the fields, and
// presses the first button that does not decline.
func ScriptedPerson(fields map[string]string) Person { return bench.ScriptedPerson(fields) }
