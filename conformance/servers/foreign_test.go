package servers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/testdata/interop/foreign"
)

// A foreignServer is an MCP server of another project, with the command that starts it.
type foreignServer struct {
	name string
	line []string
	env  string
}

// command returns the words of the command. The folder has the servers in Go.
func (f *foreignServer) command(goServers string) []string {
	words := slices.Clone(f.line)
	words[0] = strings.Replace(words[0], "{goservers}", goServers, 1)
	return words
}

// foreignServers are the servers that the checks are tried on.
var foreignServers = []foreignServer{
	{"typescript-sdk-1.12", []string{"node", "sdk.mjs"}, "PACKAGE=sdk-1.12"},
	{"typescript-sdk-1.18", []string{"node", "sdk.mjs"}, "PACKAGE=sdk-1.18"},
	{"typescript-sdk-1.32", []string{"node", "sdk.mjs"}, "PACKAGE=sdk-1.32"},
	{"typescript-sdk-2", []string{"node", "sdk2.mjs"}, ""},
	{"mcp-auth", []string{"node", "mcp-auth.mjs"}, ""},
	{"hono-mcp", []string{"node", "hono.mjs"}, ""},
	{"fastmcp", []string{"node", "fastmcp.mjs"}, ""},
	{"go-sdk", []string{"{goservers}/gosdk"}, ""},
	{"mcp-go", []string{"{goservers}/mcpgo"}, ""},
}

// TestInteropForeignServers compares the verdicts on servers of other projects with snapshots. Each
// failure has a line in proofs.tsv with the sentence that proves it.
func TestInteropForeignServers(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	goServers := foreign.Build(t, "goservers")
	for _, server := range foreignServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			issuer := startIssuer(t)
			target := issuer.target(foreign.Start(t, server.command(goServers), "ISSUER="+issuer.url, server.env))
			report, err := servers.Run(t.Context(), target, check.Selection{Parallel: 8})
			require.NoError(t, err)
			foreign.Compare(t, server.name, report)
		})
	}
}

// BenchmarkChecksForeign is the time of a full run against each server of another project.
func BenchmarkChecksForeign(b *testing.B) {
	const packages = "../../testdata/interop/foreign/node_modules"
	if _, err := os.Stat(packages); err != nil {
		b.Skip("needs Node.js packages: npm ci in testdata/interop/foreign installs them")
	}
	goServers := foreign.Build(b, "goservers")
	for _, server := range foreignServers {
		b.Run(server.name, func(b *testing.B) {
			issuer := startIssuer(b)
			target := issuer.target(foreign.Start(b, server.command(goServers), "ISSUER="+issuer.url, server.env))
			for b.Loop() {
				began := time.Now()
				_, err := servers.Run(b.Context(), target, check.Selection{Parallel: 16})
				require.NoError(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s")
				b.ReportMetric(40, "s<=")
			}
		})
	}
}

// A foreignIssuer signs tokens for servers of other projects.
type foreignIssuer struct {
	url string
	key *ecdsa.PrivateKey
}

const foreignKeyID = "key-1"

// startIssuer serves the metadata and the keys of an issuer.
func startIssuer(t testing.TB) *foreignIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := &foreignIssuer{key: key}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"issuer":                                issuer.url,
				"authorization_endpoint":                issuer.url + "/authorize",
				"token_endpoint":                        issuer.url + "/token",
				"jwks_uri":                              issuer.url + "/keys",
				"response_types_supported":              []string{"code"},
				"subject_types_supported":               []string{"public"},
				"id_token_signing_alg_values_supported": []string{"ES256"},
				"code_challenge_methods_supported":      []string{"S256"},
				"grant_types_supported":                 []string{"authorization_code"},
			})
		case "/keys":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
				Key:       key.Public(),
				KeyID:     foreignKeyID,
				Algorithm: "ES256",
				Use:       "sig",
			}}})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	issuer.url = server.URL
	return issuer
}

// token signs a token with changes to the claims of a good one.
func (i *foreignIssuer) token(audience string, changes map[string]any) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: foreignKeyID}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return "", err
	}
	claims := map[string]any{
		"iss":       i.url,
		"aud":       audience,
		"sub":       "adele",
		"client_id": "client",
		"scope":     "mcp:tools",
		"iat":       time.Now().Unix(),
		"exp":       time.Now().Add(time.Hour).Unix(),
		"jti":       rand.Text(),
	}
	for name, value := range changes {
		claims[name] = value
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// target returns the server at a URL as a target.
func (i *foreignIssuer) target(url string) servers.Target {
	supply := func(changes map[string]any) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return i.token(url, changes) }
	}
	return servers.Target{
		URL:         url,
		FirstAnswer: 30 * time.Second, // for busy machines
		Tokens: map[servers.TokenKind]func(context.Context) (string, error){
			servers.Good:            supply(nil),
			servers.Refreshed:       supply(nil),
			servers.Expired:         supply(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
			servers.NotYetValid:     supply(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
			servers.ForeignAudience: supply(map[string]any{"aud": "https://other.example/mcp"}),
			servers.ForeignIssuer:   supply(map[string]any{"iss": "https://issuer.example"}),
			servers.WithoutScope:    supply(map[string]any{"scope": "other"}),
			servers.OtherUser:       supply(map[string]any{"sub": "grady"}),
		},
		Mint: servers.Remint(i.key, supply(nil)),
	}
}
