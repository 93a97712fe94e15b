package servers_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
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
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("make interop sets MCPENTRA_INTEROP")
	}
	goServers := buildGoServers(t)
	for _, foreign := range foreignServers {
		t.Run(foreign.name, func(t *testing.T) {
			t.Parallel()
			issuer := startIssuer(t)
			target := issuer.target(startForeign(t, issuer.url, foreign.command(goServers), foreign.env))
			report, err := servers.Run(t.Context(), target, check.Selection{Parallel: 8})
			require.NoError(t, err)
			var verdicts strings.Builder
			proofs := proofsOf(t, foreign.name)
			failed := map[string]bool{}
			for _, result := range report.Results {
				if result.Verdict == check.Pass || result.Verdict == check.Skip {
					continue
				}
				fmt.Fprintf(&verdicts, "%-5s %s\n", result.Verdict, result.Name())
				if result.Verdict == check.Fail {
					failed[result.Rule.ID] = true
					assert.Contains(t, proofs, result.Rule.ID, "%v", result.Err)
				}
				assert.NotEqual(t, check.Error, result.Verdict, "%s: %v", result.Name(), result.Err)
			}
			for id := range proofs {
				assert.True(t, failed[id], "proofs.tsv has a line for %s, which does not fail", id)
			}
			folder := snaps.Dir("../../testdata/snapshots")
			snaps.WithConfig(folder, snaps.Filename("foreign-"+foreign.name), snaps.Ext(".txt")).
				MatchStandaloneSnapshot(t, verdicts.String())
		})
	}
}

// BenchmarkChecksForeign is the time of a full run against each server of another project.
func BenchmarkChecksForeign(b *testing.B) {
	const packages = "../../testdata/interop/foreign/node_modules"
	if _, err := os.Stat(packages); err != nil {
		b.Skip("needs Node.js packages: npm ci in testdata/interop/foreign installs them")
	}
	goServers := buildGoServers(b)
	for _, foreign := range foreignServers {
		b.Run(foreign.name, func(b *testing.B) {
			issuer := startIssuer(b)
			target := issuer.target(startForeign(b, issuer.url, foreign.command(goServers), foreign.env))
			for b.Loop() {
				began := time.Now()
				_, err := servers.Run(b.Context(), target, check.Selection{Parallel: 12})
				require.NoError(b, err)
				b.ReportMetric(time.Since(began).Seconds(), "s")
				b.ReportMetric(40, "s<=")
			}
		})
	}
}

// proofsOf returns the sentences that prove the failures of a server, by the ID of the check.
func proofsOf(t *testing.T, server string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/interop/foreign/proofs.tsv")
	require.NoError(t, err)
	proofs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		columns := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if columns[0] == server && assert.Len(t, columns, 3, "want a server, an ID and a sentence: %s", line) {
			proofs[columns[1]] = columns[2]
		}
	}
	return proofs
}

// buildGoServers builds the servers in Go, and returns the folder of the programs.
func buildGoServers(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder, "./...")
	build.Dir = "../../testdata/interop/goservers"
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return folder
}

// startForeign starts a server, and returns the URL that it prints.
func startForeign(t testing.TB, issuer string, line []string, env string) string {
	t.Helper()
	run := exec.CommandContext(t.Context(), line[0], line[1:]...)
	run.Dir = "../../testdata/interop/foreign"
	run.Env = append(os.Environ(), "ISSUER="+issuer, env)
	run.Stderr = t.Output()
	out, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() { _ = run.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "listening on "); found {
			go func() {
				for lines.Scan() {
				}
			}()
			return url
		}
	}
	t.Fatalf("%s ended without a URL", line)
	return ""
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
		URL: url,
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
