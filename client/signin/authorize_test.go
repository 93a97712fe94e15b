package signin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

const login = "https://login.example.com"

func pendingAt(t *testing.T, issuer discovery.Issuer) *signin.Pending {
	if issuer.Issuer == "" {
		issuer.Issuer = login
	}
	if issuer.AuthorizationEndpoint == "" {
		issuer.AuthorizationEndpoint = login + "/authorize"
	}
	pending, err := signin.Begin(signin.Request{
		Issuer:      &issuer,
		Client:      tokenrequest.Client{ID: "f5a3"},
		RedirectURI: "http://localhost:3000/callback",
		Resource:    "https://mcp.example.com/mcp",
		Scopes:      []string{"files.read", "files.write"},
	})
	require.NoError(t, err)
	return pending
}

func TestAuthorizationPageAsksForEverything(t *testing.T) {
	t.Parallel()
	pending := pendingAt(t, discovery.Issuer{AuthorizationEndpoint: login + "/authorize?policy=p1&state=theirs"})
	page, err := url.Parse(pending.URL)
	require.NoError(t, err)
	query := page.Query()
	challenge := query.Get("code_challenge")
	query.Del("code_challenge")
	assert.Equal(t, url.Values{
		"policy":                {"p1"},
		"response_type":         {"code"},
		"client_id":             {"f5a3"},
		"redirect_uri":          {"http://localhost:3000/callback"},
		"state":                 {pending.State},
		"code_challenge_method": {"S256"},
		"resource":              {"https://mcp.example.com/mcp"},
		"scope":                 {"files.read files.write"},
	}, query)
	assert.GreaterOrEqual(t, len(pending.State), 26, "128 bits in base32")

	answer, err := pending.Read(url.Values{"state": {pending.State}, "code": {"c"}})
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(answer.Verifier))
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
	assert.NotContains(t, pending.URL, answer.Verifier)
	assert.NotEqual(t, pending.State, pendingAt(t, discovery.Issuer{}).State)
}

// TestWhoTheAnswerIsFrom has the four rows of MCP 2026-07-28 for the parameter iss, each with right
// and wrong values.
func TestWhoTheAnswerIsFrom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		promised bool
		iss      []string
		fine     bool
	}{
		"promised, there and right":         {true, []string{login}, true},
		"promised, there and wrong":         {true, []string{"https://evil.example.com"}, false},
		"promised and not there":            {true, nil, false},
		"promised and empty":                {true, []string{""}, false},
		"not promised, there and right":     {false, []string{login}, true},
		"not promised, there and wrong":     {false, []string{"https://evil.example.com"}, false},
		"not promised, but a slash more":    {false, []string{login + "/"}, false},
		"not promised, in another case":     {false, []string{strings.ToUpper(login)}, false},
		"not promised, there and empty":     {false, []string{""}, false},
		"not promised and not there":        {false, nil, true},
		"right once and wrong another time": {true, []string{login, "https://evil.example.com"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pending := pendingAt(t, discovery.Issuer{IssInResponse: c.promised})
			params := url.Values{"state": {pending.State}, "code": {"c-1"}}
			if c.iss != nil {
				params["iss"] = c.iss
			}
			answer, err := pending.Read(params)
			if c.fine {
				require.NoError(t, err)
				assert.Equal(t, "c-1", answer.Code)
				return
			}
			var mismatch *signin.MismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.Equal(t, len(c.iss) > 1, mismatch.What == "one parameter")

			// What a stranger says of errors is not believed either.
			params.Del("code")
			params.Set("error", "access_denied")
			_, err = pending.Read(params)
			require.ErrorAs(t, err, &mismatch)
		})
	}
}

func TestAnswersThatAreNotUsed(t *testing.T) {
	t.Parallel()
	pending := pendingAt(t, discovery.Issuer{})
	for name, params := range map[string]url.Values{
		"no state":        {"code": {"c"}},
		"another state":   {"state": {"x"}, "code": {"c"}},
		"half the state":  {"state": {pending.State[:13]}, "code": {"c"}},
		"the state twice": {"state": {pending.State, pending.State}, "code": {"c"}},
		"the code twice":  {"state": {pending.State}, "code": {"c", "d"}},
		"another's error": {"state": {"x"}, "error": {"access_denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := pending.Read(params)
			var mismatch *signin.MismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.NotContains(t, err.Error(), pending.State)
		})
	}
	_, err := pending.Read(url.Values{"state": {pending.State}})
	require.ErrorContains(t, err, "neither a code nor an error")
}

func TestRefusedByTheAuthorizationServer(t *testing.T) {
	t.Parallel()
	pending := pendingAt(t, discovery.Issuer{})
	_, err := pending.Read(url.Values{
		"state":             {pending.State},
		"error":             {"access_denied"},
		"error_description": {"no\x1b[2J\u202e" + strings.Repeat("x", 9000)},
		"code":              {"c"},
	})
	var refused *signin.RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "access_denied", refused.Code)
	assert.Contains(t, err.Error(), "authorization refused: access_denied (no?[2J?xxx")
	assert.Less(t, len(err.Error()), 600)
}

func TestScopesToAskFor(t *testing.T) {
	t.Parallel()
	listed := &discovery.Resource{Scopes: []string{"all.a", "all.b"}}
	for name, c := range map[string]struct {
		challenged string
		resource   *discovery.Resource
		issuer     []string
		want       []string
	}{
		"those of the challenge":                    {"a b", listed, nil, []string{"a", "b"}},
		"or else those that the resource lists":     {"", listed, nil, []string{"all.a", "all.b"}},
		"or else none":                              {"", &discovery.Resource{}, nil, nil},
		"none, of a server without metadata":        {"", nil, nil, nil},
		"offline_access where it is known":          {"a offline_access", nil, []string{"offline_access"}, []string{"a", "offline_access"}},
		"no offline_access where it is not":         {"a offline_access", nil, []string{"a"}, []string{"a"}},
		"each once":                                 {"a b a", nil, nil, []string{"a", "b"}},
		"nothing that cannot be one":                {"a \"b\" c\\d \x1b[2J e\u202e f", nil, nil, []string{"a", "f"}},
		"nothing that cannot be one, of a resource": {"", &discovery.Resource{Scopes: []string{"a b", "ü"}}, nil, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := signin.Scopes(c.challenged, c.resource, &discovery.Issuer{Scopes: c.issuer})
			assert.Equal(t, len(c.want), len(got))
			assert.Subset(t, c.want, got)
		})
	}
	var many []string
	for i := range 300 {
		many = append(many, strings.Repeat("x", i+1))
	}
	assert.Len(t, signin.Scopes(strings.Join(many, " "), nil, &discovery.Issuer{}), 100)
}
