package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
)

// brokerTarget returns a target for a server in broker mode with tokens of every kind. It signs two
// people in. key is the server's signing key.
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
		servers.OtherUser: {User: alexName, Password: "correct horse"},
	} {
		signIn := signin.SignIn{URL: target.URL, Open: visitAs(person)}
		made, err := signIn.Tokens(t.Context())
		require.NoError(t, err)
		target.Tokens[kind] = made[servers.Good]
		if kind == servers.Good {
			for _, other := range []servers.TokenKind{servers.RefreshToken, servers.Revoked} {
				require.Contains(t, made, other)
				target.Tokens[other] = made[other]
			}
		}
	}
	target.Mint = servers.Remint(key, target.Tokens[servers.Good])
	for kind, change := range map[servers.TokenKind]func(map[string]any){
		servers.Expired: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		servers.NotYetValid: func(c map[string]any) {
			c["nbf"] = time.Now().Add(time.Hour).Unix()
			c["exp"] = time.Now().Add(2 * time.Hour).Unix()
		},
		// A refresh returns a token of the same user, client and grant.
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

// patience is how long a check waits for the server's timeouts.
const patience = 15 * time.Second

// directTarget returns a target for a server in direct mode with tokens of every kind. The fake
// mints them, the bad ones with one claim changed.
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
		servers.OtherUser:    minted(fakeentra.Token{User: alexName}),
		servers.WithoutScope: minted(fakeentra.Token{Scopes: []string{"tool.write"}}),
		servers.Expired:      edited(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		servers.NotYetValid:  edited(func(c map[string]any) { c["nbf"] = time.Now().Add(30 * time.Minute).Unix() }),
		// Version 2.0 has the first claim of each pair, version 1.0 the second.
		servers.UnlistedClient: edited(func(c map[string]any) {
			replaceClaims(c, "5a1e0001-0000-4000-8000-00000000eeee", "azp", "appid")
		}),
		servers.PublicClient:    edited(func(c map[string]any) { replaceClaims(c, "0", "azpacr", "appidacr") }),
		servers.ForeignAudience: edited(func(c map[string]any) { c["aud"] = "00000003-0000-0000-c000-000000000000" }),
		servers.ForeignIssuer: edited(func(c map[string]any) {
			c["iss"] = fake.Issuer("5a1e0001-0000-4000-8000-00000000ffff")
		}),
	}
	key, err := fake.PrivateKey(fakeentra.Token{})
	require.NoError(t, err)
	target.Mint = servers.Remint(key, target.Tokens[servers.Good])
	return target
}

// replaceClaims sets the named claims that are present.
func replaceClaims(claims map[string]any, value string, names ...string) {
	for _, name := range names {
		if _, present := claims[name]; present {
			claims[name] = value
		}
	}
}
