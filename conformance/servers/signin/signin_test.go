package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/signin"
)

// TestTokenRegistersItsScopes signs in at a server that refuses scopes that the client has not
// registered, and states of fewer than 32 characters.
func TestTokenRegistersItsScopes(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	token, err := p.signIn().Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "tools", claims(t, token)["scope"], "the scope in the challenge")
	assert.Equal(t, p.url+"/mcp", claims(t, token)["aud"])
	assert.Equal(t, []string{"tools", "notes", "openid", "offline_access"}, p.registered)
}

// TestTokenOfRegisteredClient signs in where clients cannot register themselves.
func TestTokenOfRegisteredClient(t *testing.T) {
	t.Parallel()
	const basic = "Basic YStjbGllbnQ6YSUyRnNlY3JldA==" // a+client:a%2Fsecret
	for _, test := range []struct {
		name, secret string
		methods      []string
		basic, post  string // the credentials that the server gets
	}{
		{"public", "", nil, "", ""},
		{"with a secret", "a/secret", nil, basic, ""},
		{"with a secret in the form", "a/secret", []string{"client_secret_post"}, "", "a/secret"},
	} {
		p := newProvider(t, func(p *provider) {
			p.noRegister = true
			p.methods = test.methods
		})
		person := p.signIn()
		person.ClientID = "a client"
		person.ClientSecret = test.secret
		person.RedirectURI = "http://localhost/answer"
		_, err := person.Token(t.Context())
		require.NoError(t, err, test.name)
		assert.Equal(t, "a client", p.asked[0].Get("client_id"), test.name)
		assert.Regexp(t, `^http://localhost:\d+/answer$`, p.asked[0].Get("redirect_uri"), test.name)
		assert.Equal(t, test.basic, p.basic[0], test.name)
		assert.Equal(t, test.post, p.forms[0].Get("client_secret"), test.name)
	}
	unknown := newProvider(t, func(p *provider) { p.noRegister = true }).signIn()
	_, err := unknown.Token(t.Context())
	require.ErrorContains(t, err, "give a registered client with --client-id, or a token with --token-file")
	unknown.ClientID = "a client"
	unknown.RedirectURI = "https://other.example/answer"
	_, err = unknown.Token(t.Context())
	assert.ErrorContains(t, err, "want a redirect URI of http on loopback")
}

// TestTokenWithoutResource leaves out the parameter resource if the server refuses it, as Entra ID
// does for resources that it does not know.
func TestTokenWithoutResource(t *testing.T) {
	t.Parallel()
	const text = "AADSTS9010010: The resource parameter does not match the requested scopes."
	p := newProvider(t, func(p *provider) {
		p.authorize = func(asked url.Values) url.Values {
			if asked.Has("resource") {
				return url.Values{"error": {"invalid_request"}, "error_description": {text}}
			}
			return nil
		}
	})
	opened := 0
	person := p.signIn()
	person.Open = func(ctx context.Context, page string) error {
		opened++
		return follow(ctx, page)
	}
	_, err := person.Token(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, opened, "no person sees the refusal")
}

// TestRefusalShowsServersText wants the server's own words in the error, cleaned and bounded.
func TestRefusalShowsServersText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*provider)
		want   string
	}{
		{
			"registration",
			func(p *provider) {
				p.register = refuse(400, `{"error":"invalid_scope","error_description":"no\u001b[2J scopes"}`)
			},
			`the server refuses the registration with status 400: error "invalid_scope": "no[2J scopes"`,
		},
		{
			"registration without JSON",
			func(p *provider) { p.register = refuse(403, "<p>Clients\n  need approval</p>") },
			`registration with status 403: "<p>Clients need approval</p>"`,
		},
		{
			"authorization",
			func(p *provider) { p.authorize = deny },
			`the server refuses the authorization: error "access_denied": "not today"`,
		},
		{
			"token request",
			func(p *provider) { p.token = refuse(401, `{"error":"invalid_client"}`) },
			`the server refuses the token request with status 401: error "invalid_client"`,
		},
		{
			"long text",
			func(p *provider) { p.token = refuse(400, strings.Repeat("x", 5000)) },
			`token request with status 400: "` + strings.Repeat("x", 300) + `…"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newProvider(t, test.change).signIn().Token(t.Context())
			var refused *signin.Refused
			require.ErrorAs(t, err, &refused)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}

// TestBrowserOutlivesSignIn lets a browser run after its answer, and ends one that gives none.
func TestBrowserOutlivesSignIn(t *testing.T) {
	t.Parallel()
	person := newProvider(t, nil).signIn()
	ended := make(chan error, 1)
	closed := make(chan struct{})
	person.Open = func(ctx context.Context, page string) error {
		if err := follow(ctx, page); err != nil {
			return err
		}
		<-closed // by the person, long after the sign-in
		ended <- ctx.Err()
		return nil
	}
	_, err := person.Token(t.Context())
	require.NoError(t, err)
	close(closed)
	assert.NoError(t, <-ended)

	running, stop := context.WithCancel(t.Context())
	person.Open = func(ctx context.Context, _ string) error {
		stop()
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	_, err = person.Token(running)
	require.ErrorContains(t, err, "no answer from the browser")
	assert.Error(t, <-ended)
}

// TestFailureIsNoRefusal wants another error if the server breaks or the browser does.
func TestFailureIsNoRefusal(t *testing.T) {
	t.Parallel()
	broken := newProvider(t, func(p *provider) { p.token = refuse(500, "a stack trace") }).signIn()
	closed := newProvider(t, nil).signIn()
	closed.Open = func(context.Context, string) error { return errors.New("there is no browser") }
	for want, person := range map[string]*signin.SignIn{
		`want status 200 or 201, got 500: "a stack trace"`: broken,
		"there is no browser":                              closed,
	} {
		_, err := person.Token(t.Context())
		require.ErrorContains(t, err, want)
		var refused *signin.Refused
		assert.NotErrorAs(t, err, &refused)
	}
}

func TestTokensMakesKinds(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	tokens, err := p.signIn().Tokens(t.Context())
	require.NoError(t, err)
	got := map[servers.TokenKind]string{}
	for kind, supply := range tokens {
		got[kind], err = supply(t.Context())
		require.NoError(t, err, kind)
	}
	assert.Len(t, got, 7)
	resource := p.url + "/mcp"
	assert.Equal(t, resource, claims(t, got[servers.Good])["aud"])
	assert.Equal(t, resource, claims(t, got[servers.Refreshed])["aud"])
	assert.NotEqual(t, got[servers.Good], got[servers.Refreshed])
	assert.Equal(t, "https://other.example/mcp", claims(t, got[servers.ForeignAudience])["aud"])
	assert.Equal(t, "notes openid offline_access", claims(t, got[servers.WithoutScope])["scope"])
	assert.Equal(t, []string{got[servers.Revoked]}, p.revoked)
	assert.Equal(t, resource, claims(t, got[servers.Revoked])["aud"])
	assert.Equal(t, "an ID token", got[servers.IDToken])
	assert.Contains(t, got[servers.RefreshToken], "refresh-")
}

// TestTokensOfShortLife wants tokens that end soon, and a good token that is replaced in time.
func TestTokensOfShortLife(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(p *provider) { p.expiresIn = 1 })
	tokens, err := p.signIn().Tokens(t.Context())
	require.NoError(t, err)
	good, err := tokens[servers.Good](t.Context())
	require.NoError(t, err)
	_, err = tokens[servers.Expired](t.Context())
	require.NoError(t, err)
	later, err := tokens[servers.Good](t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, good, later)
	one, err := tokens[servers.ShortLived](t.Context())
	require.NoError(t, err)
	other, err := tokens[servers.ShortLived](t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, one, other)
}

// TestTokensTrustNoClaim wants no token for another resource from a server that ignores the
// parameter, and no refreshed token without a refresh token that works.
func TestTokensTrustNoClaim(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(p *provider) {
		p.ignoresTarget = true
		p.noRefresh = true
	})
	tokens, err := p.signIn().Tokens(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, tokens, servers.ForeignAudience)
	assert.NotContains(t, tokens, servers.RefreshToken)
	assert.NotContains(t, tokens, servers.Expired, "an hour is too long to wait")
	assert.Contains(t, tokens, servers.Refreshed, "a second authorization gives another good token")
	assert.Contains(t, tokens, servers.WithoutScope, "so does an authorization for other scopes")
}

// TestTokensWithOneAuthorization keeps the good token of a server that refuses the other requests.
func TestTokensWithOneAuthorization(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(p *provider) { p.authorize = denyUnless("tools") })
	tokens, err := p.signIn().Tokens(t.Context())
	require.NoError(t, err)
	assert.Len(t, tokens, 2)
	assert.Contains(t, tokens, servers.Good)
	assert.Contains(t, tokens, servers.RefreshToken)
}

// refuse answers every request.
func refuse(status int, body string) func(http.ResponseWriter) bool {
	return func(w http.ResponseWriter) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
		return true
	}
}

func deny(url.Values) url.Values {
	return url.Values{"error": {"access_denied"}, "error_description": {"not\ntoday"}}
}

func denyUnless(scope string) func(url.Values) url.Values {
	return func(asked url.Values) url.Values {
		if asked.Get("scope") == scope {
			return nil
		}
		return url.Values{"error": {"invalid_scope"}}
	}
}
