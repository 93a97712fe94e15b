package entra_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server/entra"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// forFake is the configuration that fits a fake without a listener.
func forFake(fake *fakeentra.Fake) entra.Config {
	return entra.Config{
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultClientID,
		ClientSecret:        directory.DefaultClientSecret,
		RedirectURI:         "http://localhost:8000/auth/callback",
		HTTPClient:          fake.Client(),
		TrustPublicFakeKeys: true,
	}
}

func newClient(t *testing.T, cfg entra.Config) *entra.Client {
	t.Helper()
	client, err := entra.New(cfg)
	require.NoError(t, err)
	return client
}

// visit sends the scripted person through the sign-in, and returns what reaches the redirect URI.
func visit(t *testing.T, fake *fakeentra.Fake, address string, deny bool) url.Values {
	t.Helper()
	browser := useragent.Browser{
		Deny: deny,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "localhost:8000" {
				return &http.Response{
					StatusCode: http.StatusOK,
					Header:     http.Header{"Content-Type": {"text/html"}},
					Request:    r,
					Body:       io.NopCloser(strings.NewReader("<title>back</title>")),
				}, nil
			}
			return fake.Client().Transport.RoundTrip(r)
		}),
	}
	page, err := browser.Visit(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "localhost:8000", page.URL.Host, page.Text)
	return page.URL.Query()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// issuer is a scripted stand-in for Entra that a test can make lie.
type issuer struct {
	*httptest.Server
	document func(map[string]any) // changes the discovery document
	token    http.HandlerFunc
	graph    http.HandlerFunc
	keySet   jose.JSONWebKeySet
	asked    sync.Map // path → *atomic.Int64
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{
		document: func(map[string]any) {},
		keySet:   jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: "one", Use: "sig"}}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{tenant}/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		base := i.URL + "/" + directory.DefaultTenantID
		document := map[string]any{
			"issuer":                 base + "/v2.0",
			"authorization_endpoint": base + "/authorize",
			"token_endpoint":         base + "/token",
			"jwks_uri":               base + "/keys",
		}
		i.document(document)
		answer(w, http.StatusOK, document)
	})
	mux.HandleFunc(
		"/{tenant}/keys",
		func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, i.keySet) },
	)
	mux.HandleFunc("/{tenant}/token", func(w http.ResponseWriter, r *http.Request) { i.token(w, r) })
	mux.HandleFunc("/v1.0/me", func(w http.ResponseWriter, r *http.Request) { i.graph(w, r) })
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count, _ := i.asked.LoadOrStore(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) config() entra.Config {
	return entra.Config{
		Authority:    i.URL,
		TenantID:     directory.DefaultTenantID,
		ClientID:     directory.DefaultClientID,
		ClientSecret: "secret",
		RedirectURI:  "http://localhost:8000/auth/callback",
		HTTPClient:   i.Client(),
		Now:          clock,
	}
}

// requests is how often a path with that last segment was asked for.
func (i *issuer) requests(name string) int64 {
	count, found := i.asked.Load(name)
	if !found {
		return 0
	}
	return count.(*atomic.Int64).Load()
}

// idToken signs the claims of a good ID token with the changes; nil removes a claim.
func (i *issuer) idToken(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss":                i.URL + "/" + directory.DefaultTenantID + "/v2.0",
		"aud":                directory.DefaultClientID,
		"nonce":              "nonce",
		"ver":                "2.0",
		"tid":                directory.DefaultTenantID,
		"oid":                directory.DefaultUserID,
		"sub":                "pairwise",
		"name":               "Adele Vance",
		"preferred_username": "adele@example.com",
		"iat":                noon.Unix() - 300,
		"nbf":                noon.Unix() - 300,
		"exp":                noon.Unix() + 3600,
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return sign(t, jose.RS256, signingKey(), "one", claims)
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(payload)
	require.NoError(t, err)
	raw, err := signed.CompactSerialize()
	require.NoError(t, err)
	return raw
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
