package servers

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/loopback"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// A Fake is the fake Entra ID that the server under test trusts: a *fakeentra.Server in this
// process, or an *admin.Client for a fake in another one.
type Fake interface {
	Authority() string
	Issuer(tenantID string) string
	Directory() directory.Directory
	Mint(want fakeentra.Token) (string, error)
	PrivateKey(want fakeentra.Token) (crypto.Signer, error)
}

// FillFromFake adds to a target what a fake can supply for a server whose users sign in there. The
// target needs a URL. What it has already stays. The caller adds the server's tools.
//
// If the server accepts tokens of the fake, FillFromFake mints them, and Mint signs with the fake's
// private key. The tokens are for the first API of the directory whose token the server accepts. If
// the server issues tokens of its own, FillFromFake signs the first two people of the directory in
// at the fake, and adds no Mint. The sign-in reaches only loopback.
//
// An error means that the server does not answer, or that the sign-in failed.
func FillFromFake(ctx context.Context, target *Target, fake Fake) error {
	client := target.HTTPClient
	if client == nil {
		client = &http.Client{
			Transport: &http.Transport{DialContext: loopback.Dial, DisableKeepAlives: true},
			Timeout:   10 * time.Second,
		}
	}
	source := fakeSource{fake: fake, tenant: fake.Directory().Tenants[0], client: client, url: target.URL}
	isDirect, err := source.chooseAPI(ctx)
	if err != nil {
		return err
	}
	tokens := source.minted()
	if !isDirect {
		tokens, err = source.signedIn(ctx)
		if err != nil {
			return err
		}
	}
	if target.Tokens == nil {
		target.Tokens = map[TokenKind]func(context.Context) (string, error){}
	}
	for kind, supply := range tokens {
		if target.Tokens[kind] == nil {
			target.Tokens[kind] = supply
		}
	}
	if isDirect && target.Mint == nil {
		target.Mint = source.mint
	}
	return nil
}

// A fakeSource makes the tokens of a fake's first tenant.
type fakeSource struct {
	fake   Fake
	tenant directory.Tenant
	client *http.Client
	url    string // of the MCP endpoint
	api    string // application ID; empty means the first API
}

// chooseAPI finds the API whose tokens the server accepts, and reports whether the server accepts
// tokens of the fake at all.
func (s *fakeSource) chooseAPI(ctx context.Context) (bool, error) {
	for _, app := range s.tenant.Apps {
		if len(app.Scopes) == 0 {
			continue
		}
		token, err := s.fake.Mint(fakeentra.Token{API: app.ID})
		if err != nil {
			return false, err
		}
		accepted, err := s.accepts(ctx, token)
		if err != nil {
			return false, err
		}
		if accepted {
			s.api = app.ID
			return true, nil
		}
	}
	return s.namesFake(ctx), nil
}

// accepts reports whether the server accepts a token. It may still refuse the request.
func (s *fakeSource) accepts(ctx context.Context, token string) (bool, error) {
	const first = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",` +
		`"capabilities":{},"clientInfo":{"name":"mcp-auth-conformance","version":"1"}}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewBufferString(first))
	if err != nil {
		return false, fmt.Errorf("fake: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := s.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("fake: %w", err)
	}
	_ = response.Body.Close()
	isRefusal := response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden
	return !isRefusal && response.StatusCode < http.StatusInternalServerError, nil
}

// namesFake reports whether the server's metadata names the fake as authorization server.
func (s *fakeSource) namesFake(ctx context.Context) bool {
	scheme, rest, _ := strings.Cut(s.url, "://")
	host, path, _ := strings.Cut(rest, "/")
	address := scheme + "://" + host + "/.well-known/oauth-protected-resource/" + path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	response, err := s.client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var document struct {
		Issuers []string `json:"authorization_servers"`
	}
	_ = json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<20)).Decode(&document)
	return slices.ContainsFunc(document.Issuers, func(issuer string) bool {
		return strings.HasPrefix(issuer, s.fake.Authority()+"/")
	})
}

// minted returns tokens of the fake.
func (s *fakeSource) minted() map[TokenKind]func(context.Context) (string, error) {
	made := func(want fakeentra.Token) func(context.Context) (string, error) {
		want.API = s.api
		return func(context.Context) (string, error) { return s.fake.Mint(want) }
	}
	claim := func(name string, value any) func(context.Context) (string, error) {
		return made(fakeentra.Token{Claims: map[string]any{name: value}})
	}
	const (
		otherTenant = "5a1e00ff-0000-4000-8000-00000000000f"
		graph       = "00000003-0000-0000-c000-000000000000"
	)
	tokens := map[TokenKind]func(context.Context) (string, error){
		Good:            made(fakeentra.Token{}),
		Refreshed:       made(fakeentra.Token{}),
		ShortLived:      made(fakeentra.Token{Lifetime: 20 * time.Second}),
		Expired:         made(fakeentra.Token{Age: 2 * time.Hour}),
		NotYetValid:     made(fakeentra.Token{Age: -time.Hour, Lifetime: time.Hour}),
		ForeignAudience: claim("aud", graph),
		ForeignIssuer:   claim("iss", s.fake.Issuer(otherTenant)),
		WithoutScope:    made(fakeentra.Token{Scopes: []string{"mcp-auth-conformance.none"}}),
		IDToken:         made(fakeentra.Token{Kind: fakeentra.IDToken}),
	}
	if other := s.otherUser(); other != nil {
		tokens[OtherUser] = made(fakeentra.Token{User: other.UserPrincipalName})
	}
	return tokens
}

// mint signs a token with the key that the fake uses at present.
func (s *fakeSource) mint(ctx context.Context, edits Edits) (string, error) {
	want := fakeentra.Token{API: s.api}
	key, err := s.fake.PrivateKey(want)
	if err != nil {
		return "", err
	}
	good := func(context.Context) (string, error) { return s.fake.Mint(want) }
	return bench.Remint(key, good)(ctx, edits)
}

// signedIn returns tokens of the server, for two people of the fake.
func (s *fakeSource) signedIn(ctx context.Context) (map[TokenKind]func(context.Context) (string, error), error) {
	if len(s.tenant.Users) == 0 {
		return nil, errors.New("fake: want a directory with a user, got none")
	}
	tokens, err := s.signIn(s.tenant.Users[0]).Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("the server accepts no token of the fake at %s: %w", s.fake.Authority(), err)
	}
	other := s.otherUser()
	if other == nil {
		return tokens, nil
	}
	token, err := s.signIn(*other).Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", other.UserPrincipalName, err)
	}
	tokens[OtherUser] = func(context.Context) (string, error) { return token, nil }
	return tokens, nil
}

// signIn returns a sign-in of a person with a browser of its own.
func (s *fakeSource) signIn(user directory.User) *signin.SignIn {
	browser := &useragent.Browser{User: user.UserPrincipalName, Password: user.Password}
	return &signin.SignIn{
		URL:        s.url,
		HTTPClient: s.client,
		Timeout:    time.Minute,
		Open: func(ctx context.Context, page string) error {
			_, err := browser.Visit(ctx, page)
			return err
		},
	}
}

// otherUser returns the second person who can sign in, or nil.
func (s *fakeSource) otherUser() *directory.User {
	for i := 1; i < len(s.tenant.Users); i++ {
		if !s.tenant.Users[i].Disabled {
			return &s.tenant.Users[i]
		}
	}
	return nil
}
