package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	const (
		bare    = challenge
		invalid = challenge + `, error="invalid_token", ` +
			`error_description="the access token is expired, revoked, malformed or not meant for this server"`
		request = challenge + `, error="invalid_request", ` +
			`error_description="the Authorization header has to be exactly one, of the form: Bearer <token>"`
		scope = challenge + `, error="insufficient_scope", ` +
			`error_description="the access token lacks a scope that this needs"`
	)
	for _, test := range []struct {
		name   string
		lines  []string
		status int
		want   string // WWW-Authenticate
	}{
		{"none", nil, 401, bare},
		{"empty line", []string{""}, 401, bare},
		{"good", []string{"Bearer good"}, 200, ""},
		{"scheme in lower case", []string{"bearer good"}, 200, ""},
		{"scheme in capitals", []string{"BEARER good"}, 200, ""},
		{"scheme in both", []string{"BeArEr good"}, 200, ""},
		{"two blanks", []string{"Bearer  good"}, 200, ""},
		{"equals signs at the end", []string{"Bearer good=="}, 200, ""},
		{"bad token", []string{"Bearer bad"}, 401, invalid},
		{"token of three bad parts", []string{"Bearer a.b.c"}, 401, invalid},
		{"token without the scope", []string{"Bearer scopeless"}, 403, scope},
		{"scheme alone", []string{"Bearer"}, 400, request},
		{"scheme and a blank", []string{"Bearer "}, 400, request},
		{"tab for a blank", []string{"Bearer\tgood"}, 401, bare},
		{"two tokens", []string{"Bearer good bad"}, 400, request},
		{"quoted token", []string{`Bearer "good"`}, 400, request},
		{"list, good and bad", []string{"Bearer good, Bearer bad"}, 400, request},
		{"list without blanks", []string{"Bearer good,bad"}, 400, request},
		{"list behind another scheme", []string{"Basic eDp4, Bearer good"}, 401, bare},
		{"two lines, good and bad", []string{"Bearer good", "Bearer bad"}, 400, request},
		{"two lines, bad and good", []string{"Bearer bad", "Bearer good"}, 400, request},
		{"two lines, both good", []string{"Bearer good", "Bearer good"}, 400, request},
		{"equals signs alone", []string{"Bearer =="}, 400, request},
		{"byte outside the alphabet", []string{"Bearer go\xffod"}, 400, request},
		{"backslash", []string{`Bearer go\od`}, 400, request},
		{"another scheme", []string{"Basic eDp4"}, 401, bare},
		{"DPoP", []string{"DPoP good"}, 401, bare},
		{"Negotiate", []string{"Negotiate good"}, 401, bare},
		{"scheme that begins as Bearer", []string{"Bearerx good"}, 401, bare},
		{"colon for a blank", []string{"Bearer:good"}, 401, bare},
		{"token alone", []string{"good"}, 401, bare},
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			t.Run(test.name+" "+method, func(t *testing.T) {
				t.Parallel()
				r := httptest.NewRequest(method, resource, strings.NewReader(ping))
				r.Header.Set("Content-Type", "application/json")
				if test.lines != nil {
					r.Header["Authorization"] = test.lines
				}
				w, next := serve(t, baseConfig(), r)
				assert.Equal(t, test.status, w.Code)
				assert.Equal(t, test.want, w.Header().Get("WWW-Authenticate"))
				assert.Equal(t, test.status == 200, len(next.requests) == 1)
				if test.status != 200 {
					assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
					assert.NotContains(t, w.Body.String(), "good", "nothing of the token comes back")
					assert.Equal(
						t,
						test.status == 401,
						strings.Contains(w.Body.String(), "Unauthorized"),
						"clients behind a proxy of their own see the body alone",
					)
				}
			})
		}
	}
}

func TestTokenElsewhereIsIgnored(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
	}{
		{"in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=good&token=good" }},
		{"in a cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: "good"}) }},
		{"in its own header", func(r *http.Request) { r.Header.Set("X-Access-Token", "good") }},
		{"forwarded by a proxy", func(r *http.Request) { r.Header.Set("X-Forwarded-Access-Token", "good") }},
		{"as a forwarded user", func(r *http.Request) { r.Header.Set("X-Forwarded-User", "admin") }},
		{"as a principal of Azure's", func(r *http.Request) { r.Header.Set("X-Ms-Client-Principal", "e30=") }},
		{"as a probe", func(r *http.Request) { r.Header.Set("User-Agent", "kube-probe/1.0") }},
		{"in a form", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader("access_token=good"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Del("Authorization")
			test.change(r)
			w, next := serve(t, baseConfig(), r)
			assert.Equal(t, http.StatusUnauthorized, w.Code)
			assert.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
			assert.Empty(t, next.requests)
		})
	}
}

func TestQueryTokenDecidesNothing(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, ping)
	r.URL.RawQuery = "access_token=bad"
	w, _ := serve(t, baseConfig(), r)
	assert.Equal(t, http.StatusOK, w.Code)
}

func TestUnverifiableTokenIs503(t *testing.T) {
	t.Parallel()
	for raw, retry := range map[string]string{"unavailable": "2", "broken": "5", "no-identity": "5"} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			r := request(http.MethodPost, ping)
			r.Header.Set("Authorization", "Bearer "+raw)
			w, next := serve(t, baseConfig(), r)
			assert.Equal(t, http.StatusServiceUnavailable, w.Code)
			assert.Equal(t, retry, w.Header().Get("Retry-After"))
			assert.Empty(t, w.Header().Get("WWW-Authenticate"), "clients would throw good tokens away")
			assert.NotContains(t, w.Body.String(), "canary")
			assert.Contains(t, w.Body.String(), `"error":"temporarily_unavailable"`)
			assert.Empty(t, next.requests)
		})
	}
}

func TestIdentityHeadersReachNoHandler(t *testing.T) {
	t.Parallel()
	r := request(http.MethodPost, ping)
	gone := []string{
		"Proxy-Authorization",
		"X-Original-Authorization",
		"X-Forwarded-User",
		"X-Forwarded-Email",
		"X-Forwarded-Access-Token",
		"X-Ms-Client-Principal",
		"X-Ms-Client-Principal-Name",
		"X-Ms-Token-Aad-Access-Token",
		"X_Forwarded_User",
		"x_ms_client_principal_id",
		"X-Auth-Request-User",
		"Remote-User",
		"X-Http-Method-Override",
		"Cookie",
		"Mcp-Entra-Caller",
	}
	for _, name := range gone {
		r.Header[name] = []string{"admin"}
	}
	kept := map[string]string{"Accept": "application/json", "Traceparent": "00-1-2-03", "X-Forwarded-For": "192.0.2.1"}
	for name, value := range kept {
		r.Header.Set(name, value)
	}
	_, next := serve(t, baseConfig(), r)
	require.Len(t, next.requests, 1)
	for _, name := range append(gone, "Authorization") {
		assert.NotContains(t, next.requests[0].Header, name)
	}
	for name, value := range kept {
		assert.Equal(t, value, next.requests[0].Header.Get(name))
	}
	assert.Equal(t, "Bearer good", r.Header.Get("Authorization"), "the caller's request is left as it was")
}
