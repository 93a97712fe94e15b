package server_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// TestServerConforms holds the server to every check, with its own tools, and around a handler and
// in front of an upstream that count what they do, without and with sessions. The tokens come of
// real sign-ins, and the bad ones are made of a good one with the server's own key, so that nothing
// but the flaw can be why they are refused.
func TestServerConforms(t *testing.T) {
	t.Parallel()
	for name, place := range placements() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			log := &safeBuffer{}
			origin := startServer(t, func(config *server.Config) {
				config.SigningKey = key
				config.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				place.put(t, config)
			})
			target := brokerTarget(t, origin+place.endpoint(), key)
			target.Log = log.String
			place.describe(t, &target)
			target.Fragile = name != "own tools" && name != "a handler with sessions" // twice will do
			servers.Test(t, target, place.only...)
		})
	}
}

// A placement is what stands behind the guard, and how.
type placement struct {
	canary             *canary // nil means the server's own tools
	upstream, stateful bool
	atOrigin           bool     // the endpoint has no path
	only               []string // checks; nil means all
}

func placements() map[string]placement {
	stateless := func() *canary {
		return newCanary(mcpserver.WithStateLess(true), mcpserver.WithDisableStreaming(true))
	}
	// The rest is the handler's own affair then: mcp-go answers a missing session ID with 404.
	bound := []string{
		"server/session/not-authentication",
		"server/session/other-user",
		"server/session/refreshed-token",
		"server/stream",
	}
	return map[string]placement{
		"own tools":                         {},
		"own tools with sessions":           {stateful: true},
		"own tools at the origin":           {atOrigin: true},
		"a handler without sessions":        {canary: stateless()},
		"a handler with sessions":           {canary: newCanary(mcpserver.WithStateful(true)), stateful: true},
		"a handler with sessions, not told": {canary: newCanary(mcpserver.WithStateful(true)), only: bound},
		"an upstream without sessions":      {canary: stateless(), upstream: true},
		"an upstream with sessions": {
			canary:   newCanary(mcpserver.WithStateful(true)),
			upstream: true,
			stateful: true,
		},
	}
}

// endpoint is the path of the endpoint's URL.
func (p *placement) endpoint() string {
	if p.atOrigin {
		return ""
	}
	return "/mcp"
}

// put configures a server for the placement.
func (p *placement) put(t *testing.T, config *server.Config) {
	config.Stateful = p.stateful
	// All checks run at once as one person. A check that waits must not lose its session to the
	// others.
	config.Limits.CallerSessions = 1000
	if p.atOrigin {
		config.Path = "/"
	}
	switch {
	case p.canary == nil:
	case p.upstream:
		behind := httptest.NewServer(p.canary)
		t.Cleanup(behind.Close)
		config.Upstream = behind.URL + "/mcp"
	default:
		config.MCP = p.canary
	}
}

// describe tells the checks what there is in the placement.
func (p *placement) describe(t *testing.T, target *servers.Target) {
	t.Helper()
	target.Local = networkAddresses(t)
	if p.canary != nil {
		target.Canary = p.canary.engine()
		target.Forwarded = p.canary.sentOn
		return
	}
	target.Whoami = &servers.Whoami{
		Tool: "whoami",
		Caller: func(result []byte) string {
			var told struct {
				Structured struct {
					ObjectID string `json:"object_id"`
				} `json:"structuredContent"`
			}
			_ = json.Unmarshal(result, &told)
			return told.Structured.ObjectID
		},
	}
}

// networkAddresses are the machine's addresses that others can reach it at.
func networkAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	found := []string{}
	for _, one := range all {
		if network, ok := one.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			found = append(found, network.IP.String())
		}
	}
	return found
}

// brokerTarget is a server in broker mode as a target that hands over everything.
func brokerTarget(t *testing.T, endpoint string, key *ecdsa.PrivateKey) servers.Target {
	t.Helper()
	target := servers.Target{
		URL:       endpoint,
		Revisions: check.Revisions(),
		Patience:  patience,
		Tokens:    map[servers.TokenKind]func(context.Context) (string, error){},
	}
	for kind, person := range map[servers.TokenKind]*useragent.Browser{
		servers.Good:      {},
		servers.OtherUser: {User: "AlexW@contoso.onmicrosoft.com", Password: "correct horse"},
	} {
		signIn := signin.SignIn{
			URL: target.URL,
			Open: func(ctx context.Context, page string) error {
				_, err := person.Visit(ctx, page)
				return err
			},
		}
		token, err := signIn.Token(t.Context())
		require.NoError(t, err)
		target.Tokens[kind] = func(context.Context) (string, error) { return token, nil }
	}
	target.Mint = servers.Remint(key, target.Tokens[servers.Good])
	for kind, change := range map[servers.TokenKind]func(map[string]any){
		servers.Expired: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		servers.NotYetValid: func(c map[string]any) {
			c["nbf"] = time.Now().Add(time.Hour).Unix()
			c["exp"] = time.Now().Add(2 * time.Hour).Unix()
		},
		// What a refresh gives: the same user, client and grant.
		servers.Refreshed:       func(c map[string]any) { c["jti"] = rand.Text() },
		servers.ForeignAudience: func(c map[string]any) { c["aud"] = "https://other.example/mcp" },
		servers.ForeignIssuer:   func(c map[string]any) { c["iss"] = "https://other.example" },
		servers.WithoutScope:    func(c map[string]any) { c["scope"] = "other" },
	} {
		target.Tokens[kind] = func(ctx context.Context) (string, error) {
			return target.Mint(ctx, servers.Edits{Claims: change})
		}
	}
	return target
}

// patience is how long a check waits for the server to give something up.
const patience = 15 * time.Second

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// TestDirectModeConforms holds direct mode to every check, for both versions of Entra's access
// tokens, and in every placement.
func TestDirectModeConforms(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		for name, place := range placements() {
			if version == 1 && place.canary != nil {
				continue // what stands behind does not see the version
			}
			t.Run(fmt.Sprintf("v%d/%s", version, name), func(t *testing.T) {
				t.Parallel()
				tenant := apiDirectory()
				tenant.Tenants[0].Apps[1].TokenVersion = version
				fake := fakeentra.NewServer(fakeentra.Config{Directory: tenant})
				t.Cleanup(fake.Close)
				log := &safeBuffer{}
				origin := startServer(t, func(config *server.Config) {
					direct(fake)(config)
					config.Direct.TokenVersions = []int{version}
					config.Direct.Clients = []string{fake.Tenant().Apps[0].ID}
					config.Direct.ConfidentialClients = true
					config.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					place.put(t, config)
				})
				target := directTarget(t, origin+place.endpoint(), fake)
				target.Log = log.String
				place.describe(t, &target)
				target.Fragile = true // the other mode bears it for both
				// The authorization server is Entra, which lacks what MCP asks of one.
				only := place.only
				if only == nil {
					only = []string{"server"}
				}
				servers.Test(t, target, only...)
			})
		}
	}
}

// directTarget is a server in direct mode as a target that hands over everything. Entra's tokens
// are the fake's, the bad ones with one claim changed before they are signed.
func directTarget(t *testing.T, endpoint string, fake *fakeentra.Server) servers.Target {
	t.Helper()
	minted := func(want fakeentra.Token) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return fake.Mint(want) }
	}
	edited := func(change func(claims map[string]any)) func(context.Context) (string, error) {
		return minted(fakeentra.Token{Edit: change})
	}
	target := servers.Target{URL: endpoint, Revisions: check.Revisions(), Patience: patience}
	target.Tokens = map[servers.TokenKind]func(context.Context) (string, error){
		servers.Good:         minted(fakeentra.Token{}),
		servers.Refreshed:    minted(fakeentra.Token{}),
		servers.OtherUser:    minted(fakeentra.Token{User: "AlexW@contoso.onmicrosoft.com"}),
		servers.WithoutScope: minted(fakeentra.Token{Scopes: []string{"tool.write"}}),
		servers.Expired:      edited(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		servers.NotYetValid:  edited(func(c map[string]any) { c["nbf"] = time.Now().Add(30 * time.Minute).Unix() }),
		servers.UnlistedClient: edited(func(c map[string]any) {
			for _, name := range []string{"azp", "appid"} { // version 2.0 has one and version 1.0 the other
				if _, there := c[name]; there {
					c[name] = "5a1e0001-0000-4000-8000-00000000eeee"
				}
			}
		}),
		servers.PublicClient: edited(func(c map[string]any) {
			for _, name := range []string{"azpacr", "appidacr"} {
				if _, there := c[name]; there {
					c[name] = "0"
				}
			}
		}),
		servers.ForeignAudience: edited(func(c map[string]any) { c["aud"] = "00000003-0000-0000-c000-000000000000" }),
		servers.ForeignIssuer: edited(func(c map[string]any) {
			c["iss"] = fake.Issuer("5a1e0001-0000-4000-8000-00000000ffff")
		}),
	}
	target.Mint = servers.Remint(fakesKey(t, fake), target.Tokens[servers.Good])
	return target
}

// fakesKey is the private key that a fake signs with now.
func fakesKey(t *testing.T, fake *fakeentra.Server) crypto.Signer {
	t.Helper()
	raw, err := fake.Mint(fakeentra.Token{})
	require.NoError(t, err)
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(t, err)
	files, err := filepath.Glob("../fakeentra/internal/signing/keys/*.pem")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				continue
			}
			private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			require.NoError(t, err, file)
			if _, err := signed.Verify(private.Public()); err == nil {
				return private
			}
		}
	}
	t.Fatal("no key of the fake verifies its own token")
	return nil
}

// startServer starts a fake Entra ID and a server in front of it, each on a site of its own
// (127.0.0.1 and localhost), and returns the server's origin.
func startServer(t testing.TB, change func(*server.Config)) string {
	t.Helper()
	listening := httptest.NewUnstartedServer(nil)
	origin := "http://" + strings.Replace(listening.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	config := configFor(t, origin)
	config.BodyTimeout = 5 * time.Second
	config.AnswerTimeout = 5 * time.Second // as below
	if change != nil {
		change(&config)
	}
	made, err := server.New(t.Context(), config)
	require.NoError(t, err)
	listening.Config.Handler = made
	// As the program does, but quicker.
	listening.Config.ReadHeaderTimeout = 4 * time.Second
	listening.Config.ReadTimeout = 5 * time.Second
	listening.Config.Protocols = &http.Protocols{}
	listening.Config.Protocols.SetHTTP1(true)
	listening.Config.Protocols.SetUnencryptedHTTP2(true) // as behind a proxy that speaks it
	listening.Listener = server.NewListener(listening.Listener, config.AnswerTimeout)
	listening.Start()
	t.Cleanup(listening.Close)
	return origin
}

// configFor starts a fake Entra ID and configures a server at an origin in front of it.
func configFor(t testing.TB, origin string) server.Config {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	tenant := fake.Tenant()
	return server.Config{
		PublicURL:              origin,
		RegistrationsPerMinute: -1,
		HTTPClient:             fake.Client(),
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            tenant.ID,
			ClientID:            tenant.Apps[0].ID,
			ClientSecret:        tenant.Apps[0].Secrets[0],
			TrustPublicFakeKeys: true,
		},
	}
}

// visit is a person who approves everything.
func visit(ctx context.Context, page string) error {
	_, err := (&useragent.Browser{}).Visit(ctx, page)
	return err
}
