package bench

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/rig"
	"mcpentra/fakeentra/useragent"
)

// A Target is the authorization server under test.
type Target struct {
	// URL is the issuer identifier.
	URL string
	// HTTPClient sends the requests. Its redirects are not followed, and its cookies are not used.
	// Nil means a plain one.
	HTTPClient *http.Client
	// Person opens a browser in which a script signs in. Nil skips the checks that see pages.
	Person Person
	// Open shows an authorization page to a real person, whose browser ends at a redirect URI on
	// loopback. It is used if Person is nil. Nil skips the checks that need a sign-in.
	Open func(ctx context.Context, page string) error
	// SignInTimeout is how long a real person may take for one sign-in. Zero means five minutes.
	SignInTimeout time.Duration
	// FirstAnswer is how long the server may take for its first answer. Zero means ten seconds.
	// With a longer time, each check gets more time in proportion.
	FirstAnswer time.Duration
	// Clients are registered beforehand. The checks use them if clients cannot register
	// themselves. The first public and the first confidential one are used first.
	Clients []Client
	// KeyClient authenticates with assertions (private_key_jwt), and is registered beforehand. Nil
	// lets the checks of assertions register their clients.
	KeyClient *KeyClient
	// App is a client that calls for itself, with the grant type client_credentials. Nil skips the
	// checks of this grant type.
	App *Client
	// Resource is a resource that tokens can be issued for (RFC 8707). Empty sends none.
	Resource string
	// OtherResource is another one, which the same user may use. Empty means that the server has
	// only one.
	OtherResource string
	// Scopes are asked for in each authorization request. Nil asks for none.
	Scopes []string
	// Advance moves the server's clock. Nil skips the checks that wait for an expiry.
	Advance func(time.Duration)
	// Grace is how long a rotated refresh token may be used again. Only checks with Advance wait.
	Grace time.Duration
	// Documents serves client ID metadata documents. Route the server's requests for client IDs to
	// it, whatever their host. Nil skips the checks of client documents.
	Documents *Documents
	// Upstream is the third party where the server's people sign in. Nil skips the checks that
	// change its answers.
	Upstream *rig.Provider
	// Start starts another server of the same kind, whose people sign in at this third party. Nil
	// skips the checks that change the third party's metadata.
	Start func(ctx context.Context, upstream string) (*Started, error)
	// Fragile skips the disruptive checks, even if they are selected.
	Fragile bool
	// Revisions of MCP that the server is meant for. Nil means all.
	Revisions []check.Revision
}

// A Started server is a server that was started for one check.
type Started struct {
	Target Target
	// Close stops the server. Nil means nothing to stop.
	Close func()
}

// A Client is a client of the authorization server.
type Client struct {
	ID string
	// Secret is empty for a public client.
	Secret string
	// Method is the client's token_endpoint_auth_method. Empty means client_secret_basic for a
	// client with a secret, and none for the others.
	Method string
	// RedirectURI is a registered redirect URI. A scripted browser never connects to it.
	RedirectURI string
}

// isPublic reports whether a client has no secret.
func (c *Client) isPublic() bool { return c.Secret == "" }

// A Person opens a new browser with a person, whose requests go through a transport. The browser
// keeps its cookies from visit to visit.
type Person func(transport http.RoundTripper) Visit

// A Visit opens an address, and continues through the pages of the server until the browser is sent
// to the client, or until nothing is left to do. A person who declines signs in, and then declines
// the client's request.
type Visit func(ctx context.Context, address string, decline bool) error

// ScriptedPerson returns a person who types values into fields, by the names of the fields, and
// presses the first button that does not decline.
func ScriptedPerson(fields map[string]string) Person {
	return func(transport http.RoundTripper) Visit {
		browser := &useragent.Browser{Transport: transport, Fields: fields}
		return func(ctx context.Context, address string, decline bool) error {
			browser.Deny = decline
			_, err := browser.Visit(ctx, address)
			return err
		}
	}
}
