package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/loopback"
	"mcpentra/server/store"
)

// Ways in which a client authenticates (RFC 7591 section 2).
const (
	authNone  = "none"
	authPost  = "client_secret_post"
	authBasic = "client_secret_basic"
)

// A client is a registered one. Anybody can register, so its name is a claim that nobody has
// checked.
type client struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	RedirectURIs    []string  `json:"redirect_uris"`
	AuthMethod      string    `json:"auth_method"`
	SecretHash      string    `json:"secret_hash,omitempty"`
	ApplicationType string    `json:"application_type"`
	Registered      time.Time `json:"registered"`
	Used            bool      `json:"used"`
}

// findClient returns a client, or nil when there is none of that ID.
func (b *Broker) findClient(ctx context.Context, id string) (*client, error) {
	if id == "" || len(id) > 200 {
		return nil, nil
	}
	var found client
	switch _, err := b.records.get(ctx, kindClient, id, &found); {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &found, nil
}

// markUsed lets a client that somebody has signed in with live longer than one that was only
// registered. Losing a race is no harm.
func (b *Broker) markUsed(ctx context.Context, id string) error {
	var found client
	record, err := b.records.get(ctx, kindClient, id, &found)
	if err != nil {
		return err
	}
	if found.Used && record.Expires.Sub(b.now()) > usedClient/2 {
		return nil
	}
	// Without a source it is no stranger's any more: no number of registrations pushes it out.
	found.Used = true
	record.Source = ""
	record.Expires = b.now().Add(usedClient)
	if err := b.records.put(ctx, record, found); err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// authenticate finds the client of a form at the token and revocation endpoints and checks its
// credential. A secret counts in the Authorization header and in the form, whichever of the two was
// registered: both prove the same (RFC 6749 section 2.3.1). A client without a secret sends none,
// and one with a secret cannot leave it out.
func (b *Broker) authenticate(r *http.Request, form url.Values) (*client, *protocolError) {
	id, secret, basic := r.BasicAuth()
	presented := basic
	if lines := r.Header["Authorization"]; len(lines) > 1 || len(lines) == 1 && !basic && isBasic(lines[0]) {
		return nil, unknownClient(true).because("the Authorization header is there twice, or is not base64")
	}
	if basic {
		var errID, errSecret error
		id, errID = url.QueryUnescape(id)
		secret, errSecret = url.QueryUnescape(secret)
		if errID != nil || errSecret != nil {
			return nil, unknownClient(basic).because("the Basic credentials are not form-encoded")
		}
		if form.Has("client_secret") || form.Has("client_id") && form.Get("client_id") != id {
			return nil, badRequest("invalid_request", "the client authenticates in two ways at once").saw("client", id)
		}
	} else {
		id = form.Get("client_id")
		if form.Has("client_secret") {
			presented = true
			secret = form.Get("client_secret")
		}
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		return nil, unknownClient(basic).because("this server takes no client assertion").saw("client", id)
	}
	if id == "" {
		return nil, unknownClient(basic).described("client_id is missing")
	}
	found, err := b.findClient(r.Context(), id)
	if err != nil {
		return nil, b.storeProblem(r.Context(), err)
	}
	if found == nil {
		return nil, unknownClient(basic).because("no client of that ID is registered here").saw("client", id)
	}
	refused := func(why string) *protocolError {
		return unknownClient(basic).because(why).saw("client", id).saw("registered_method", found.AuthMethod)
	}
	switch {
	case found.AuthMethod == authNone && !presented:
		return found, nil
	case found.SecretHash == "":
		return nil, refused("the client sent a secret, and has none")
	case !presented:
		return nil, refused("the client sent no secret")
	}
	// Judged first and counted then: the ID is in every authorization URL, so those who guess must
	// not lock the client out.
	right := subtle.ConstantTimeCompare([]byte(found.SecretHash), []byte(hashed(secret))) == 1
	switch {
	case right:
		return found, nil
	case b.guessed(id, r):
		return nil, tooMany("too many wrong credentials for this client").saw("client", id).
			allowedBy("MCP_TRUSTED_PROXIES for clients behind one proxy")
	}
	return nil, refused("the secret is wrong")
}

// isBasic reports whether credentials are of the scheme Basic (RFC 7617), well formed or not.
func isBasic(credentials string) bool {
	scheme, _, _ := strings.Cut(credentials, " ")
	return strings.EqualFold(scheme, "Basic")
}

func unknownClient(basic bool) *protocolError {
	return &protocolError{
		status:      http.StatusUnauthorized,
		code:        "invalid_client",
		basic:       basic,
		description: "no such client, or its secret is missing or wrong",
	}
}

// provesItself reports whether an answer can only reach the client that registered. A program on
// loopback without a secret can be any, so people are asked every time (OAuth 2.1 section 7.3.1).
func (c *client) provesItself(redirect string) bool {
	return c.AuthMethod != authNone || !isLoopbackURI(redirect)
}

// matchRedirect reports whether a redirect URI is one that the client registered, character by
// character. The port of a loopback address may differ: the system picks it when a native client
// starts (RFC 8252 section 7.3, OAuth 2.1 section 8.4.2). The rules of registration hold here too,
// for clients that registered under older rules and for other ports.
func (b *Broker) matchRedirect(c *client, asked string) bool {
	if b.checkRedirect(asked) != nil {
		return false
	}
	if slices.Contains(c.RedirectURIs, asked) {
		return true
	}
	one, err := url.Parse(asked)
	if err != nil || one.Scheme != "http" || !loopback.IsStrictHost(one.Hostname()) {
		return false
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		other, err := url.Parse(registered)
		return err == nil && other.Scheme == "http" && other.Hostname() == one.Hostname() &&
			other.EscapedPath() == one.EscapedPath() && other.RawQuery == one.RawQuery
	})
}
