package fakeentra_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

// inject makes a fake with faults. The test fails if one does not apply.
func inject(t *testing.T, faults ...fault.Fault) *fakeentra.Fake {
	t.Helper()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	fake.InjectFor(t, faults...)
	return fake
}

// appToken asks for a token without a person.
func appToken(t *testing.T, fake *fakeentra.Fake) answer {
	t.Helper()
	return token(t, fake, appForm())
}

func appForm() url.Values {
	return url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
	}
}

func TestFaultThrottles(t *testing.T) {
	t.Parallel()
	fake := inject(t, fault.Fault{On: endpoint.Token, Status: http.StatusTooManyRequests, RetryAfter: time.Minute})
	got := appToken(t, fake)
	assert.Equal(t, 429, got.Status)
	assert.Equal(t, "60", got.Header.Get("Retry-After"))
	assert.Equal(t, "Too Many Requests", got.Body)
	assert.Equal(t, "text/plain; charset=utf-8", got.Header.Get("Content-Type"))
	assert.Equal(t, 200, appToken(t, fake).Status, "once")
}

func TestFaultBodies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body string
		kind string
	}{
		{`{"error":"temporarily_unavailable"}`, "application/json; charset=utf-8"},
		{"<html>busy</html>", "text/html; charset=utf-8"},
		{"busy", "text/plain; charset=utf-8"},
	} {
		got := appToken(
			t,
			inject(
				t,
				fault.Fault{
					Status: 503,
					Body:   test.body,
					Header: map[string]string{"X-Proxy": "yes", "X-Ms-Request-Id": ""},
				},
			),
		)
		assert.Equal(t, 503, got.Status)
		assert.Equal(t, test.body, got.Body)
		assert.Equal(t, test.kind, got.Header.Get("Content-Type"))
		assert.Equal(t, "yes", got.Header.Get("X-Proxy"))
		assert.Empty(t, got.Header.Get("X-Ms-Request-Id"))
	}
}

// An error of the catalogue has the form that its endpoint has for errors.
func TestFaultAADSTS(t *testing.T) {
	t.Parallel()
	got := appToken(t, inject(t, fault.Fault{On: endpoint.Token, AADSTS: 50076}))
	assert.Equal(t, 400, got.Status)
	assert.Equal(t, 50076, got.number(t))
	assert.Equal(t, "invalid_grant", got.text("error"))
	assert.Contains(t, got.text("claims"), "capolids", "with a challenge to answer")

	params := returned(t, authorize(t, inject(t, fault.Fault{On: endpoint.Authorize, AADSTS: 50079}), request(nil)))
	assert.Contains(t, params.Get("error_description"), "AADSTS50079")
	assert.Equal(t, "interaction_required", params.Get("error"))
	assert.Equal(t, "a state/with+signs", params.Get("state"))

	shared := get(
		t,
		inject(t, fault.Fault{On: endpoint.Authorize, AADSTS: 53003}),
		"https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?"+request(nil).Encode(),
	)
	assert.Contains(t, shared.Body, "AADSTS50194", "the request's own error comes first")

	got = authorize(t, inject(t, fault.Fault{On: endpoint.Authorize, AADSTS: 90002}), request(nil))
	assert.Equal(t, 200, got.Status, "some errors are never sent to the client")
	assert.Contains(t, got.Body, "AADSTS90002")

	got = authorize(
		t,
		inject(t, fault.Fault{On: endpoint.Authorize, AADSTS: 53003}),
		request(map[string]string{"redirect_uri": "https://evil.example/"}),
	)
	assert.Empty(t, got.Header.Get("Location"), "a fault redirects to no unknown URI")

	got = get(
		t,
		inject(t, fault.Fault{On: endpoint.Discovery, AADSTS: 90002}),
		tenantURL+"/v2.0/.well-known/openid-configuration",
	)
	assert.Equal(t, "invalid_tenant", got.text("error"))

	got = get(t, inject(t, fault.Fault{On: endpoint.Device, AADSTS: 50057}), "https://login.microsoftonline.com/device")
	assert.Contains(t, got.Body, "AADSTS50057")
}

func TestFaultEdits(t *testing.T) {
	t.Parallel()
	const configuration = tenantURL + "/v2.0/.well-known/openid-configuration"
	fake := inject(t, fault.Fault{
		On: endpoint.Discovery,
		Edit: map[string]any{
			"issuer":                "https://evil.example",
			"jwks_uri":              nil,
			"mtls_endpoint_aliases": map[string]any{"x": "y"},
		},
	})
	got := get(t, fake, configuration)
	assert.Equal(t, "https://evil.example", got.text("issuer"))
	assert.NotContains(t, got.JSON, "jwks_uri")
	assert.Contains(t, got.JSON["mtls_endpoint_aliases"], "token_endpoint", "objects are merged")
	assert.Equal(t, tenantURL+"/v2.0", get(t, fake, configuration).text("issuer"), "the document itself is unharmed")

	got = get(
		t,
		inject(
			t,
			fault.Fault{On: endpoint.Keys, Change: func(set map[string]any) { set["keys"] = set["keys"].([]any)[:1] }},
		),
		tenantURL+"/discovery/v2.0/keys",
	)
	assert.Len(t, got.JSON["keys"], 1)

	got = appToken(
		t,
		inject(t, fault.Fault{On: endpoint.Token, Status: 201, Edit: map[string]any{"token_type": "DPoP"}}),
	)
	assert.Equal(t, 201, got.Status)
	assert.Equal(t, "DPoP", got.text("token_type"))
	assert.NotEmpty(t, got.text("access_token"))

	got = authorize(t, inject(t, fault.Fault{Edit: map[string]any{"a": 1}}), request(nil))
	assert.Equal(t, 302, got.Status, "the fault changes JSON alone")
}

// Garbage, a cut and a closed connection, without a port and through one.
func TestFaultsOfTheConnection(t *testing.T) {
	t.Parallel()
	server := fakeentra.NewServer(fakeentra.Config{AutoSignIn: true})
	defer server.Close()
	portless := newFake(t, fakeentra.Config{AutoSignIn: true})
	for _, test := range []struct {
		name string
		fake *fakeentra.Fake
		send func() (*http.Response, error)
	}{
		{"no port", portless, func() (*http.Response, error) {
			return portless.Client().PostForm(tenantURL+"/oauth2/v2.0/token", appForm())
		}},
		{"a port", server.Fake, func() (*http.Response, error) {
			return server.Client().PostForm(server.URL+"/"+directory.DefaultTenantID+"/oauth2/v2.0/token", appForm())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(
				t,
				test.fake.Inject(fault.Fault{CutAfter: 10}, fault.Fault{Garbage: true}, fault.Fault{Drop: true}),
			)
			response, err := test.send()
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			response.Body.Close()
			require.Error(t, err)
			assert.Equal(t, `{"token_ty`, string(text))

			response, err = test.send()
			require.NoError(t, err)
			text, err = io.ReadAll(response.Body)
			response.Body.Close()
			require.NoError(t, err)
			assert.Contains(t, response.Header.Get("Content-Type"), "application/json")
			assert.Error(t, decode(string(text), new(any)))

			_, err = test.send()
			require.Error(t, err)
			assert.Empty(t, test.fake.Script().Unused())
			statuses := []int{}
			for _, entry := range test.fake.Journal().Entries(journal.Filter{}) {
				statuses = append(statuses, entry.Status)
			}
			assert.Equal(t, []int{200, 200, 0}, statuses)
		})
	}
}

// The server has acted even if its answer is lost.
func TestFaultProcessed(t *testing.T) {
	t.Parallel()
	for _, processed := range []bool{false, true} {
		fake := newFake(t, fakeentra.Config{AutoSignIn: true})
		code := signIn(t, fake, nil)
		fake.InjectFor(t, fault.Fault{On: endpoint.Token, Status: 504, Processed: processed})
		got := token(t, fake, redemption(code, nil))
		assert.Equal(t, 504, got.Status)
		assert.Equal(t, "Gateway Timeout", got.Body)
		again := token(t, fake, redemption(code, nil))
		if processed {
			assert.Equal(t, 54005, again.number(t), "the code is used up")
		} else {
			assert.Equal(t, 200, again.Status, "the code is good")
		}
	}
}

func TestFaultDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := inject(t, fault.Fault{On: endpoint.Keys, Delay: time.Minute, Times: 2})
		began := time.Now()
		get(t, fake, tenantURL+"/discovery/v2.0/keys")
		assert.Equal(t, time.Minute, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, tenantURL+"/discovery/v2.0/keys", nil)
		require.NoError(t, err)
		_, err = fake.Client().Do(r)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Minute+time.Second, time.Since(began))
	})
}

// A fault tells clients apart however they name themselves.
func TestFaultsByClient(t *testing.T) {
	t.Parallel()
	const struck = http.StatusTeapot
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	require.NoError(
		t,
		fake.Inject(fault.Fault{Client: directory.DefaultClientID, Status: struck, Times: fault.Forever}),
	)
	other := appForm()
	other.Set("client_id", directory.DefaultAPIID)
	assert.Equal(t, http.StatusUnauthorized, token(t, fake, other).Status)
	assert.Equal(t, struck, appToken(t, fake).Status, "in the form")
	assert.Equal(t, struck, authorize(t, fake, request(nil)).Status, "in the query")

	basic, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/token",
		strings.NewReader("grant_type=client_credentials"),
	)
	require.NoError(t, err)
	basic.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	basic.SetBasicAuth(directory.DefaultClientID, "x")
	assert.Equal(t, struck, do(t, fake, basic).Status, "by Basic")

	raw, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	graph, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	graph.Header.Set("Authorization", "Bearer "+raw)
	assert.Equal(t, struck, do(t, fake, graph).Status, "by a token")

	assertion := url.Values{
		"grant_type":       {"client_credentials"},
		"client_assertion": {"e30." + "eyJzdWIiOiI1YTFlMDAwMi0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEifQ" + ".x"},
	}
	assert.Equal(t, struck, token(t, fake, assertion).Status, "by an assertion")
}

// testOfTest plays a test, to see it fail.
type testOfTest struct {
	failures []string
	cleanups []func()
}

func (t *testOfTest) Helper() {}
func (t *testOfTest) Errorf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Sprintf(format, args...))
}
func (t *testOfTest) Fatalf(format string, args ...any) { t.Errorf(format, args...) }
func (t *testOfTest) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }

func TestFaultThatWasNeverUsedFailsTheTest(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	var inner testOfTest
	fake.InjectFor(&inner, fault.Fault{On: endpoint.Token, Drop: true})
	require.Len(t, inner.cleanups, 1)
	inner.cleanups[0]()
	assert.Equal(
		t,
		[]string{`fakeentra: the fault "token: drop" was applied 0 times; the test needs more matching requests`},
		inner.failures,
	)

	inner = testOfTest{}
	fake.InjectFor(&inner, fault.Fault{})
	assert.Contains(t, inner.failures[0], "want an effect")
}

// Half of everything fails, and a client that tries again gets there.
func TestChaos(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Chaos: fault.Chaos{Share: 0.5, Seed: 3}})
	failures := 0
	for range 40 {
		for {
			response, err := fake.Client().PostForm(tenantURL+"/oauth2/v2.0/token", appForm())
			if err == nil {
				var text []byte
				text, err = io.ReadAll(response.Body)
				response.Body.Close()
				if err == nil && response.StatusCode != http.StatusOK {
					err = errors.New(response.Status)
				}
				if err == nil {
					err = decode(string(text), &map[string]any{})
				}
			}
			if err == nil {
				break
			}
			failures++
		}
	}
	assert.Greater(t, failures, 10)
	_, err := fakeentra.New(fakeentra.Config{Chaos: fault.Chaos{Share: 2}})
	assert.ErrorContains(t, err, "want a share from 0 to 1")
}
