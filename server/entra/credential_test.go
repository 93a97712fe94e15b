package entra_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

// A keyPair is a certificate and its key in PEM.
type keyPair struct {
	certificate, key string
	thumbprint       string // x5t#S256
}

func newKeyPair(t *testing.T, until time.Time) keyPair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{CommonName: "mcp"},
		NotBefore:    until.Add(-365 * 24 * time.Hour),
		NotAfter:     until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	sum := sha256.Sum256(der)
	return keyPair{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
		thumbprint:  base64.RawURLEncoding.EncodeToString(sum[:]),
	}
}

// write writes a file in a folder of the test, and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credential")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A wire remembers the forms that a client sends to the token endpoint of a fake.
type wire struct {
	fake *fakeentra.Fake

	mu    sync.Mutex
	forms []url.Values
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		w.forms = append(w.forms, form)
		w.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return w.fake.Client().Transport.RoundTrip(r)
}

// last returns the last form.
func (w *wire) last() url.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forms[len(w.forms)-1]
}

// thumbprint returns x5t#S256 of the last client assertion.
func (w *wire) thumbprint(t *testing.T) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(w.last().Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	require.NoError(t, err)
	value, _ := signed.Signatures[0].Protected.ExtraHeaders["x5t#S256"].(string)
	return value
}

// newFakeOf makes a fake whose app has the credentials in place of its secret.
func newFakeOf(t *testing.T, workload *http.Client, change func(*directory.App)) *fakeentra.Fake {
	t.Helper()
	all := directory.Default()
	all.Tenants[0].Apps[0].Secrets = nil
	change(&all.Tenants[0].Apps[0])
	fake, err := fakeentra.New(fakeentra.Config{Directory: all, FederationClient: workload})
	require.NoError(t, err)
	return fake
}

// withCredential returns the configuration of a client of a fake with a credential.
func withCredential(fake *fakeentra.Fake, credential entra.Credential) (entra.Config, *wire) {
	cfg := forFake(fake)
	cfg.ClientSecret = ""
	cfg.Credential = credential
	sent := &wire{fake: fake}
	cfg.HTTPClient = &http.Client{Transport: sent}
	return cfg, sent
}

// signsIn runs a sign-in and a refresh with a client's credential.
func signsIn(t *testing.T, fake *fakeentra.Fake, cfg entra.Config) {
	t.Helper()
	client := newClient(t, cfg)
	require.NoError(t, client.Check(t.Context()))
	verifier := oauth2.GenerateVerifier()
	address, err := client.AuthorizationURL(t.Context(), signInRequest(verifier))
	require.NoError(t, err)
	back := visit(t, fake, address, false)
	tokens, err := client.Redeem(
		t.Context(),
		entra.Redemption{Code: back.Get("code"), Verifier: verifier, Nonce: "nonce"},
	)
	require.NoError(t, err)
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, []string{"User.Read"})
	require.NoError(t, err)
}

func TestCertificateAuthenticatesEveryRequest(t *testing.T) {
	t.Parallel()
	pair := newKeyPair(t, time.Now().Add(24*time.Hour))
	fake := newFakeOf(t, nil, func(app *directory.App) { app.Certificates = []string{pair.certificate} })
	credential, err := entra.NewCertificateFile(write(t, pair.key+pair.certificate), nil)
	require.NoError(t, err)
	cfg, sent := withCredential(fake, credential)
	signsIn(t, fake, cfg)

	ids := map[string]bool{}
	for _, form := range sent.forms {
		assert.False(t, form.Has("client_secret"))
		assert.False(t, form.Has("resource"))
		signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
		require.NoError(t, err)
		var claims struct {
			ID       string `json:"jti"`
			Audience string `json:"aud"`
			Expiry   int64  `json:"exp"`
		}
		require.NoError(t, json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims))
		ids[claims.ID] = true
		assert.Equal(t, "https://login.microsoftonline.com/"+directory.DefaultTenantID+"/oauth2/v2.0/token",
			claims.Audience)
		assert.LessOrEqual(t, claims.Expiry, time.Now().Add(6*time.Minute).Unix())
	}
	assert.Len(t, ids, len(sent.forms), "each request has an assertion of its own")
}

func TestCertificateActsOnBehalf(t *testing.T) {
	t.Parallel()
	pair := newKeyPair(t, time.Now().Add(24*time.Hour))
	all := apiDirectory(2)
	for i := range all.Tenants {
		all.Tenants[i].Apps[1].Secrets = nil
		all.Tenants[i].Apps[1].Certificates = []string{pair.certificate}
	}
	fake, err := fakeentra.New(fakeentra.Config{Directory: all, Now: clock})
	require.NoError(t, err)
	credential, err := entra.NewCertificateFile(write(t, pair.key+pair.certificate), nil)
	require.NoError(t, err)
	cfg := apiConfig(fake)
	cfg.ClientSecret = ""
	cfg.Credential = credential
	api := newAPI(t, cfg, entra.APIConfig{})
	require.NoError(t, api.Check(t.Context()))
	raw := mint(t, fake, fakeentra.Token{Scopes: []string{"tool.read"}})
	caller, err := api.Verify(t.Context(), raw)
	require.NoError(t, err)
	require.Equal(t, identity.User, caller.Kind)
	got, err := api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
	require.NoError(t, err)
	assert.NotEmpty(t, got)
}

func TestCertificateFileIsReadAgain(t *testing.T) {
	t.Parallel()
	first := newKeyPair(t, time.Now().Add(24*time.Hour))
	second := newKeyPair(t, time.Now().Add(365*24*time.Hour))
	fake := newFakeOf(t, nil, func(app *directory.App) {
		app.Certificates = []string{first.certificate, second.certificate}
	})
	path := write(t, first.key+first.certificate)
	var log strings.Builder
	credential, err := entra.NewCertificateFile(path, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	assert.Contains(t, log.String(), "expires soon")
	cfg, sent := withCredential(fake, credential)
	client := newClient(t, cfg)
	require.NoError(t, client.Check(t.Context()))
	assert.Equal(t, first.thumbprint, sent.thumbprint(t))

	for range 2 { // another program is in the middle of its write
		require.NoError(t, os.WriteFile(path, []byte(second.key), 0o600))
		require.NoError(t, client.Check(t.Context()))
		assert.Equal(t, first.thumbprint, sent.thumbprint(t))
	}
	assert.Equal(t, 1, strings.Count(log.String(), "cannot be used"), "the log complains once")
	require.NoError(t, os.WriteFile(path, []byte(second.certificate+second.key), 0o600))
	require.NoError(t, client.Check(t.Context()))
	assert.Equal(t, second.thumbprint, sent.thumbprint(t))
	assert.Contains(t, log.String(), "the new certificate counts")
	assert.NotContains(t, log.String(), "PRIVATE")
}

// A workload is another issuer, whose tokens are federated credentials.
func newWorkload(t *testing.T) (issuer *httptest.Server, token func(subject string) string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	mux := http.NewServeMux()
	issuer = httptest.NewTLSServer(mux)
	t.Cleanup(issuer.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"issuer": issuer.URL, "jwks_uri": issuer.URL + "/keys"})
	})
	mux.HandleFunc("/keys", answering(200, map[string]any{"keys": []any{jwk(key, "w", issuer.URL)}}))
	return issuer, func(subject string) string {
		return sign(t, jose.RS256, key, "w", map[string]any{
			"iss": issuer.URL,
			"sub": subject,
			"aud": directory.FederatedAudience,
			"exp": time.Now().Add(time.Hour).Unix(),
		})
	}
}

func TestFederatedTokenFile(t *testing.T) {
	t.Parallel()
	workload, token := newWorkload(t)
	fake := newFakeOf(t, workload.Client(), func(app *directory.App) {
		app.FederatedCredentials = []directory.FederatedCredential{{Issuer: workload.URL, Subject: "pod"}}
	})
	first := token("pod")
	path := write(t, first+"\n")
	credential, err := entra.NewFederatedTokenFile(path)
	require.NoError(t, err)
	cfg, sent := withCredential(fake, credential)
	signsIn(t, fake, cfg)
	assert.Equal(t, first, sent.last().Get("client_assertion"))

	// The platform has written a token of another service account.
	require.NoError(t, os.WriteFile(path, []byte(token("other")), 0o600))
	err = newClient(t, cfg).Check(t.Context())
	var refused *entra.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 700213, refused.AADSTS)
	assert.Contains(t, refused.Advice, "Federated credentials")

	require.NoError(t, os.Remove(path))
	var unavailable *entra.UnavailableError
	require.ErrorAs(t, newClient(t, cfg).Check(t.Context()), &unavailable)
	assert.Equal(t, "credential", unavailable.Op)
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	fake := newFakeOf(t, nil, func(app *directory.App) { app.Secrets = []string{"first", "second"} })
	path := write(t, "first\n")
	credential, err := entra.NewSecretFile(path)
	require.NoError(t, err)
	cfg, sent := withCredential(fake, credential)
	signsIn(t, fake, cfg)
	require.NoError(t, os.WriteFile(path, []byte("second\n"), 0o600))
	require.NoError(t, newClient(t, cfg).Check(t.Context()))
	assert.Equal(t, "second", sent.last().Get("client_secret"))
}

func TestCheckExplainsWrongCredential(t *testing.T) {
	t.Parallel()
	good := newKeyPair(t, time.Now().Add(time.Hour))
	old := newKeyPair(t, time.Now().Add(-time.Hour))
	workload, token := newWorkload(t)
	certificate := func(t *testing.T, pair keyPair) entra.Credential {
		made, err := entra.NewCertificateFile(write(t, pair.key+pair.certificate), nil)
		require.NoError(t, err)
		return made
	}
	tests := map[string]struct {
		app    func(*directory.App)
		of     func(*testing.T) entra.Credential
		aadsts int
		key    string
	}{
		"a certificate that is not uploaded": {
			app:    func(app *directory.App) { app.Certificates = []string{old.certificate} },
			of:     func(t *testing.T) entra.Credential { return certificate(t, good) },
			aadsts: 700027,
			key:    "AUTH_CERTIFICATE_FILE",
		},
		"a certificate that has expired": {
			app:    func(app *directory.App) { app.Certificates = []string{old.certificate} },
			of:     func(t *testing.T) entra.Credential { return certificate(t, old) },
			aadsts: 700027,
			key:    "AUTH_CERTIFICATE_FILE",
		},
		"a token of an issuer that is not listed": {
			app: func(app *directory.App) {
				app.FederatedCredentials = []directory.FederatedCredential{{Issuer: "https://other", Subject: "pod"}}
			},
			of: func(t *testing.T) entra.Credential {
				made, err := entra.NewFederatedTokenFile(write(t, token("pod")))
				require.NoError(t, err)
				return made
			},
			aadsts: 700211,
			key:    "AUTH_FEDERATED_TOKEN_FILE",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeOf(t, workload.Client(), test.app)
			cfg, _ := withCredential(fake, test.of(t))
			var refused *entra.Error
			require.ErrorAs(t, newClient(t, cfg).Check(t.Context()), &refused)
			assert.Equal(t, test.aadsts, refused.AADSTS)
			assert.Contains(t, refused.Error(), test.key)
		})
	}
}

func TestWrongCredentialFiles(t *testing.T) {
	t.Parallel()
	pair := newKeyPair(t, time.Now().Add(time.Hour))
	other := newKeyPair(t, time.Now().Add(time.Hour))
	encrypted := strings.ReplaceAll(pair.key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
	for text, want := range map[string]string{
		"":                           "empty",
		"nothing":                    "want a private key",
		pair.certificate:             "want a private key",
		pair.key:                     "want the certificate",
		pair.key + other.certificate: "want the certificate of the key",
		encrypted + pair.certificate: "without a password",
	} {
		_, err := entra.NewCertificateFile(write(t, text), nil)
		var wrong *entra.ConfigError
		require.ErrorAs(t, err, &wrong, text)
		assert.Equal(t, "AUTH_CERTIFICATE_FILE", wrong.Key)
		assert.Contains(t, wrong.Problem, want)
	}
	_, err := entra.NewFederatedTokenFile(write(t, "not a token"))
	require.ErrorContains(t, err, "AUTH_FEDERATED_TOKEN_FILE")
	_, err = entra.NewFederatedTokenFile(filepath.Join(t.TempDir(), "missing"))
	require.ErrorContains(t, err, "AUTH_FEDERATED_TOKEN_FILE")
	_, err = entra.NewSecretFile(write(t, " \n"))
	require.ErrorContains(t, err, "AUTH_CLIENT_SECRET_FILE")

	credential, err := entra.NewSecretFile(write(t, "secret"))
	require.NoError(t, err)
	cfg := entra.Config{
		TenantID:     directory.DefaultTenantID,
		ClientID:     directory.DefaultClientID,
		ClientSecret: "another",
		Credential:   credential,
		RedirectURI:  "http://localhost:8000/auth/callback",
	}
	_, err = entra.New(cfg)
	require.ErrorContains(t, err, "beside another credential")
}
