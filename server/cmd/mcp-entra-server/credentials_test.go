package main_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// platformHeader is the secret that App Service gives its programs for the identity endpoint.
const platformHeader = "header-of-the-platform"

// A platform is an issuer of tokens for programs, and App Service's endpoint of a managed identity.
type platform struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newPlatform(t *testing.T, key *rsa.PrivateKey) *platform {
	t.Helper()
	mux := http.NewServeMux()
	p := &platform{Server: httptest.NewServer(mux), key: key}
	t.Cleanup(p.Close)
	reply := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "p", Use: "sig"}}})
	})
	mux.HandleFunc("/msi/token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != platformHeader {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		reply(w, map[string]string{
			"access_token": p.token(t, "identity", r.URL.Query().Get("resource")),
			"expires_on":   fmt.Sprint(time.Now().Add(time.Hour).Unix()),
			"resource":     r.URL.Query().Get("resource"),
			"token_type":   "Bearer",
		})
	})
	return p
}

// token signs a token of the platform.
func (p *platform) token(t *testing.T, subject, audience string) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "p"}},
		nil,
	)
	assert.NoError(t, err)
	raw, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer:   p.URL,
		Subject:  subject,
		Audience: jwt.Audience{audience},
		Expiry:   jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).Serialize()
	assert.NoError(t, err)
	return raw
}

// certify returns a certificate of a key in PEM.
func certify(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestCredentialsWithoutSecret runs the program with each credential that replaces the secret: a
// person signs in, and a tool asks Graph. The registration has no secret.
func TestCredentialsWithoutSecret(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	issuer := newPlatform(t, key)
	certificate := certify(t, key)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	all := directory.Default()
	app := &all.Tenants[0].Apps[0]
	app.Secrets = nil
	app.Certificates = []string{certificate}
	app.FederatedCredentials = []directory.FederatedCredential{
		{Issuer: issuer.URL, Subject: "pod"},
		{Issuer: issuer.URL, Subject: "identity"},
	}
	fake := fakeentra.NewServer(fakeentra.Config{Directory: all, FederationClient: issuer.Client()})
	t.Cleanup(fake.Close)
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "credential")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for name, env := range map[string][]string{
		"certificate": {
			"AUTH_CERTIFICATE_FILE=" +
				write(certificate+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))),
		},
		"federated token": {
			"AUTH_FEDERATED_TOKEN_FILE=" + write(issuer.token(t, "pod", directory.FederatedAudience)),
		},
		"managed identity": {
			"AUTH_MANAGED_IDENTITY=system",
			"IDENTITY_ENDPOINT=" + issuer.URL + "/msi/token",
			"IDENTITY_HEADER=" + platformHeader,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := loopbacktest.Port(t)
			origin := "http://localhost:" + port
			startProcess(
				t,
				"serving "+regexp.QuoteMeta(origin),
				exec.Command(filepath.Join(programs, "mcp-entra-server"), "--store", "memory:"),
				append(env, "AUTH_AUTHORITY="+fake.URL,
					"AUTH_TENANT_ID="+directory.DefaultTenantID,
					"AUTH_CLIENT_ID="+directory.DefaultClientID,
					"MCP_ADDR="+origin[len("http://"):])...,
			)
			assert.Equal(t, "User name is Adele Vance", callUserName(t, origin+"/mcp"))
		})
	}
}

// callUserName signs in at a server, and returns the answer of get_user_name.
func callUserName(t *testing.T, endpoint string) string {
	t.Helper()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	signedIn, err := client.New(client.Config{
		Server: endpoint,
		Base:   base,
		Browser: func(ctx context.Context, page string) error {
			_, err := (&useragent.Browser{}).Visit(ctx, page)
			return err
		},
	})
	require.NoError(t, err)
	program, err := mcpclient.NewStreamableHttpClient(
		endpoint,
		transport.WithHTTPBasicClient(&http.Client{Transport: signedIn}),
	)
	require.NoError(t, err)
	defer program.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, program.Start(ctx))
	_, err = program.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: "2025-11-25",
		ClientInfo:      mcp.Implementation{Name: "t", Version: "1"},
	}})
	require.NoError(t, err)
	call := mcp.CallToolRequest{}
	call.Params.Name = "get_user_name"
	answer, err := program.CallTool(ctx, call)
	require.NoError(t, err)
	return answer.Content[0].(mcp.TextContent).Text
}
