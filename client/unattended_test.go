package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenrequest"
)

// forms keeps what is sent to the token endpoint of a site.
func forms(s *site) func() []url.Values {
	var mu sync.Mutex
	var all []url.Values
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form := url.Values{}
		for name, values := range r.PostForm {
			form[name] = values
		}
		if id, secret, basic := r.BasicAuth(); basic {
			form.Set("basic", id+":"+secret)
			r.Form.Set("client_id", id)
		}
		mu.Lock()
		all = append(all, form)
		mu.Unlock()
		s.token(w, r)
	}
	return func() []url.Values { mu.Lock(); defer mu.Unlock(); return all }
}

func newKey(t *testing.T) *tokenrequest.Key {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	key, err := tokenrequest.ReadKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "", "")
	require.NoError(t, err)
	return key
}

func constant(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, nil }
}

func TestNobodyIsNeeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(s *site, config *client.Config)
		want []url.Values
	}{
		"client credentials, with a secret": {
			func(_ *site, config *client.Config) {
				config.ClientID = "known"
				config.ClientSecret = "secret-of-client"
				config.Unattended = client.ClientCredentials{}
			},
			[]url.Values{{"grant_type": {"client_credentials"}, "scope": {"a"}, "resource": {"ORIGIN/mcp"}, "basic": {"known:secret-of-client"}}},
		},
		"client credentials, for scopes that the operator names": {
			func(_ *site, config *client.Config) {
				config.ClientID = "known"
				config.ClientSecret = "secret-of-client"
				config.Unattended = client.ClientCredentials{}
				config.Scopes = []string{"api://x/.default"}
			},
			[]url.Values{{"grant_type": {"client_credentials"}, "scope": {"api://x/.default"}, "resource": {"ORIGIN/mcp"}, "basic": {"known:secret-of-client"}}},
		},
		"a workload": {
			func(_ *site, config *client.Config) {
				config.Unattended = client.Workload{Assertion: constant("secret-jwt")}
			},
			[]url.Values{{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"secret-jwt"}, "scope": {"a"}, "resource": {"ORIGIN/mcp"}}},
		},
		"an organisation": {
			func(s *site, config *client.Config) {
				s.replace["/idp/token"] = func(w http.ResponseWriter, r *http.Request) {
					assert.Equal(s.t, "secret-id-token", r.FormValue("subject_token"))
					assert.Equal(s.t, s.URL, r.FormValue("audience"))
					assert.Equal(s.t, s.URL+"/mcp", r.FormValue("resource"))
					assert.Equal(s.t, "at-idp", r.FormValue("client_id"))
					s.json(w, 200, `{"issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","access_token":"secret-jag","token_type":"N_A"}`)
				}
				s.replace["/.well-known/oauth-authorization-server/idp"] = func(w http.ResponseWriter, _ *http.Request) {
					s.json(w, 200, `{"issuer":"ORIGIN/idp","token_endpoint":"ORIGIN/idp/token"}`)
				}
				config.ClientID = "known"
				config.ClientSecret = "secret-of-client"
				config.Unattended = client.Enterprise{IDToken: constant("secret-id-token"), Issuer: s.URL + "/idp", ClientID: "at-idp"}
			},
			[]url.Values{{
				"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
				"assertion":  {"secret-jag"},
				"scope":      {"a"},
				"resource":   {"ORIGIN/mcp"},
				"basic":      {"known:secret-of-client"},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			sent := forms(s)
			// No authorization endpoint, and nothing about PKCE: there is no code to protect.
			s.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
				s.json(
					w,
					200,
					`{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register"}`,
				)
			}
			_, through := s.client(func(config *client.Config) { c.set(s, config) })
			code, _ := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			for _, form := range c.want {
				form.Set("resource", s.URL+"/mcp")
			}
			assert.Equal(t, c.want, sent())
			assert.Empty(t, s.pages())
			assert.Zero(t, s.count("POST /register"))

			s.end() // and again when the server wants another one
			s.pass(time.Hour)
			code, _ = post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			for _, event := range s.told() {
				if challenged, ok := event.(client.Challenged); ok {
					assert.NotContains(t, challenged.Challenge, "secret-")
				}
			}
		})
	}
}

func TestWorkloadThatIsRefusedTriesNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) { s.json(w, 400, `{"error":"invalid_grant"}`) }
	_, through := s.client(
		func(config *client.Config) { config.Unattended = client.Workload{Assertion: constant("secret-jwt")} },
	)
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "invalid_grant")
	refused(t, through, s.URL+"/mcp")
	assert.Equal(t, 1, s.count("POST /token"))
	assert.Empty(t, s.pages())

	s = newSite(t)
	_, through = s.client(func(config *client.Config) {
		config.Unattended = client.Workload{
			Assertion: func(context.Context) (string, error) { return "", errors.New("no such file") },
		}
	})
	_, err := through.Get(s.URL + "/mcp")
	require.ErrorContains(t, err, "workload identity: no such file")
}

func TestMachineThatIsAskedForMoreThanItsOperatorNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sent := forms(s)
	s.mcp = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="b"`)
		w.WriteHeader(http.StatusForbidden)
	}
	_, through := s.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientKey = newKey(t)
		config.Unattended = client.ClientCredentials{}
		config.Scopes = []string{"a"}
	})
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "still demands more scopes: b")
	assert.LessOrEqual(t, len(sent()), 2)
	assert.NotEmpty(t, sent()[0].Get("client_assertion"))
}

func TestTokenFromElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.good["secret-given-1"] = true
	s.good["secret-given-2"] = true
	given := "secret-given-1"
	_, through := s.client(func(config *client.Config) {
		config.Token = func(context.Context) (string, error) { return given, nil }
	})
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 1, s.count("POST /mcp"), "it goes along from the start")

	s.mu.Lock()
	s.good["secret-given-1"] = false
	s.mu.Unlock()
	given = "secret-given-2"
	code, _ = post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code, "another one is there now")

	s.end()
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "refuses the given access token")
	sent := s.count("")
	refused(t, through, s.URL+"/mcp")
	assert.Equal(t, sent, s.count(""), "nothing else is tried")
	assert.Empty(t, s.pages())
	assert.Zero(t, s.count("GET /.well-known"))

	for name, bad := range map[string]string{"empty": "", "two lines": "a\nb", "not ASCII": "ü"} {
		_, through = s.client(func(config *client.Config) { config.Token = constant(bad) })
		assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "want an access token of visible ASCII", name)
	}
}

func TestWaysThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	for says, config := range map[string]client.Config{
		"more than one way":                        {DeviceCode: true, Token: constant("x")},
		"a client key without a client ID":         {ClientKey: newKey(t)},
		"both a secret and a key":                  {ClientID: "a", ClientSecret: "s", ClientKey: newKey(t)},
		"an issuer of the client ID without":       {ClientIssuer: "https://login.example.com"},
		"want an https URL":                        {ClientDocument: "http://app.example.com/c"},
		"want a client ID, and a secret or a key":  {ClientID: "a", Unattended: client.ClientCredentials{}},
		"workload identity: want an assertion":     {Unattended: client.Workload{}},
		"want an ID token, and the client ID":      {Unattended: client.Enterprise{ClientID: "a"}},
		"want the issuer of the identity provider": {Unattended: client.Enterprise{IDToken: constant("x"), ClientID: "a"}},
		"at the MCP server's authorization server": {Unattended: client.Enterprise{IDToken: constant("x"), ClientID: "a", Issuer: "https://idp.example.com"}},
	} {
		config.Server = "https://mcp.example.com/mcp"
		_, err := client.New(config)
		require.ErrorContains(t, err, says)
	}
}
