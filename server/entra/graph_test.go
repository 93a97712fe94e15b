package entra_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/entra"
)

// nbfChallenge is a claims challenge as Graph sends it, with a blank in it.
const nbfChallenge = `{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}`

func TestMeReturnsRefusal(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "17")
			answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": "no\nway"}})
		}
	}
	tests := map[string]struct {
		graph http.HandlerFunc
		want  entra.GraphError
	}{
		"bad token": {
			refuse(401, "InvalidAuthenticationToken"),
			entra.GraphError{
				Status:     401,
				Code:       "InvalidAuthenticationToken",
				Message:    "no way",
				RetryAfter: 17 * time.Second,
			},
		},
		"claims challenge": {
			writing(401, `{"error":{"code":"InvalidAuthenticationToken","message":"x"}}`, "WWW-Authenticate",
				`PoP realm="", nonce="n", Bearer realm="", client_id="c", error="insufficient_claims", claims="`+
					base64.StdEncoding.EncodeToString([]byte(nbfChallenge))+`"`),
			entra.GraphError{Status: 401, Code: "InvalidAuthenticationToken", Message: "x", Claims: nbfChallenge},
		},
		"unreadable challenge": {
			writing(401, "", "WWW-Authenticate", `Bearer error="insufficient_claims", claims="bm90aGluZw"`),
			entra.GraphError{Status: 401, Code: "unreadable_error"},
		},
		"missing scope": {
			refuse(403, "Authorization_RequestDenied"),
			entra.GraphError{
				Status:     403,
				Code:       "Authorization_RequestDenied",
				Message:    "no way",
				RetryAfter: 17 * time.Second,
			},
		},
		"throttled": {
			refuse(429, "TooManyRequests"),
			entra.GraphError{Status: 429, Code: "TooManyRequests", Message: "no way", RetryAfter: 17 * time.Second},
		},
		"page without JSON": {
			writing(503, "<html>", "Retry-After", noon.Add(time.Minute).Format(http.TimeFormat)),
			entra.GraphError{Status: 503, Code: "unreadable_error", RetryAfter: time.Minute},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			issuer.graph = test.graph
			_, err := newClient(t, issuer.config()).Me(t.Context(), "token-canary")
			var refused *entra.GraphError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.want, *refused)
			assert.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestMeRefusesOtherAnswers(t *testing.T) {
	t.Parallel()
	for name, graph := range map[string]http.HandlerFunc{
		"too long":          func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, 2<<20) },
		"not JSON":          writing(200, "hello"),
		"no id":             answering(200, map[string]any{"displayName": "x"}),
		"two ids":           writing(200, `{"id":"a","id":"b"}`),
		"broken connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t)
			issuer.graph = graph
			_, err := newClient(t, issuer.config()).Me(t.Context(), "token")
			var unavailable *entra.UnavailableError
			require.ErrorAs(t, err, &unavailable)
		})
	}
}

func TestGraphFollowsCloud(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ authority, document, want string }{
		"public":        {"", "graph.microsoft.com", "graph.microsoft.com"},
		"US government": {"login.microsoftonline.us", "graph.microsoft.us", "graph.microsoft.us"},
		"US department of defense": {
			"login.microsoftonline.us",
			"dod-graph.microsoft.us",
			"dod-graph.microsoft.us",
		},
		"China":        {"login.chinacloudapi.cn", "", "microsoftgraph.chinacloudapi.cn"},
		"unknown host": {"", "graph.evil.example", "graph.microsoft.com"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newIssuer(t).config()
			cfg.Authority = test.authority
			var graphHost string
			cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("Authorization") != "" {
					graphHost = r.URL.Host
					return respond(r, map[string]any{"id": "1", "displayName": "Adele", "mail": nil}), nil
				}
				base := "https://" + r.URL.Host + "/" + cfg.TenantID
				return respond(r, map[string]any{
					"issuer":                 base + "/v2.0",
					"authorization_endpoint": base + "/a",
					"token_endpoint":         base + "/t",
					"jwks_uri":               base + "/k",
					"msgraph_host":           test.document,
				}), nil
			})}
			me, err := newClient(t, cfg).Me(t.Context(), "token")
			require.NoError(t, err)
			assert.Equal(t, "Adele", me.DisplayName)
			assert.Equal(t, test.want, graphHost)
		})
	}
}
