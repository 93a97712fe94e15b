package fakeentra

import (
	"cmp"
	"crypto"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
)

// A Token describes the token that Mint makes. Its zero value is a delegated access token for the
// first user and for the first app that exposes an API. Its client is the first app.
type Token struct {
	Kind   Kind
	Tenant string   // ID or domain; empty means the first
	User   string   // object ID or user principal name; empty means the first
	Client string   // application ID of the client (azp); empty means the first app
	API    string   // application ID of the resource (aud); empty means the first app with scopes
	Scopes []string // nil means all that the API exposes, or User.Read at Graph
	Nonce  string   // for an ID token
	// Version is 1 or 2. 0 means the version in the API's registration, or 2 for an ID token.
	Version int
	// Lifetime is the time from the issue of the token to exp. 0 means an hour.
	Lifetime time.Duration
	// Age is the time since the issue of the token. A negative age is in the future.
	Age time.Duration

	// Claims replaces claims. Nil removes a claim.
	Claims map[string]any
	// Header replaces members of the JOSE header. Nil removes a member.
	Header map[string]any
	// Edit changes the claims after Claims was applied. encoding/json must be able to write the
	// values that it sets.
	Edit func(claims map[string]any)

	// Key is the signing key. Empty means the key that signs at present.
	Key Key
	// Algorithm is RS256, RS384, RS512, PS256, HS256 with the PEM of the public key as the secret,
	// or none. Empty means RS256.
	Algorithm string
}

// A Kind is a kind of token.
type Kind string

// The kinds of token.
const (
	AccessToken Kind = ""      // an access token for a person
	AppToken    Kind = "app"   // an access token for the client itself
	IDToken     Kind = "id"    // an ID token for the client
	GraphToken  Kind = "graph" // a token that only Graph can verify
)

// A Key names a signing key.
type Key string

// The keys. A token names its key in kid. A token of StrangerKey names the present key instead.
const (
	PresentKey  Key = ""
	NextKey     Key = "next"     // published; signs after Rotate
	PreviousKey Key = "previous" // published; withdrawn by Rotate
	StrangerKey Key = "stranger" // never published
)

// Mint makes a token without a sign-in. Its error names the part of want that has a mistake or that
// the directory does not have.
func (f *Fake) Mint(want Token) (string, error) {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	made, err := f.draft(want)
	if err != nil {
		return "", fmt.Errorf("fakeentra: mint: %w", err)
	}
	return made.Sign()
}

// PrivateKey returns the private key that signs a token of Mint, an *rsa.PrivateKey. It has the
// same errors. Test tools sign tokens with it that Mint does not make.
func (f *Fake) PrivateKey(want Token) (crypto.Signer, error) {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	made, err := f.draft(want)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: private key: %w", err)
	}
	return made.Key.Private(), nil
}

// draft makes the header and the claims of a token.
func (f *Fake) draft(want Token) (*signing.Draft, error) {
	d, group, err := f.mintFor(want)
	if err != nil {
		return nil, err
	}
	lifetime := want.Lifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	made := &signing.Draft{Algorithm: want.Algorithm}
	isV1 := group.App.TokenVersion != 2
	switch want.Kind {
	case AccessToken, GraphToken:
		made.Claims = f.claims.User(d, group, scopesOf(want, group.App), lifetime)
	case AppToken:
		made.Claims = f.claims.App(d.Tenant, d.Client, d.Strength, group, lifetime)
	case IDToken:
		made.Claims = f.claims.ID(d, "", "")
		isV1 = d.Version == rules.V1
		made.Claims["exp"] = f.clock.now().Add(lifetime).Unix()
	default:
		return nil, fmt.Errorf("unknown kind of token %q; want %q, %q, %q or nothing",
			want.Kind, AppToken, IDToken, GraphToken)
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		made.Claims[name] = made.Claims[name].(int64) - int64(want.Age/time.Second)
	}
	if want.Age <= 0 {
		f.state.TokenIssued(d.User.ID, text(made.Claims, "uti"), f.clock.now())
	}
	signing.Change(made.Claims, want.Claims)
	if want.Edit != nil {
		want.Edit(made.Claims)
	}
	audience := group.App
	if want.Kind == IDToken {
		audience = d.Client
	}
	named, err := f.pickKey(made, want.Key, d.Tenant, audience)
	if err != nil {
		return nil, err
	}
	if made.Algorithm == "" {
		made.Algorithm = "RS256"
	}
	made.Header = signing.Header{Type: "JWT", Algorithm: made.Algorithm, KeyID: named}
	made.Changes = want.Header
	if isV1 {
		made.Header.Thumbprint = named
	}
	if group.App == &rules.GraphApp && want.Kind != IDToken {
		made.HashNonce = true
		made.Header.Nonce = base64.RawURLEncoding.EncodeToString(f.random.bytes(32))
	}
	return made, nil
}

// scopesOf returns the scopes of a token: the scopes in want, or else all of the API.
func scopesOf(want Token, api *directory.App) []string {
	switch {
	case want.Scopes != nil:
		return want.Scopes
	case want.Kind == GraphToken:
		return []string{"User.Read", "openid", "profile"}
	}
	var names []string
	for _, scope := range api.Scopes {
		names = append(names, scope.Name)
	}
	return names
}

// mintFor finds the person, the client and the API of a token.
func (f *Fake) mintFor(want Token) (*rules.Delegation, rules.PermissionGroup, error) {
	var group rules.PermissionGroup
	tenant := &f.directory.Tenants[0]
	if want.Tenant != "" {
		tenant = f.directory.Tenant(want.Tenant)
	}
	if tenant == nil {
		return nil, group, fmt.Errorf("no tenant %s in the directory", want.Tenant)
	}
	if len(tenant.Users) == 0 || len(tenant.Apps) == 0 {
		return nil, group, fmt.Errorf("the tenant %s has no user or no app", tenant.ID)
	}
	user := &tenant.Users[0]
	client := &tenant.Apps[0]
	if want.User != "" {
		user = tenant.User(want.User)
	}
	if user == nil {
		return nil, group, fmt.Errorf("no user %s in tenant %s", want.User, tenant.ID)
	}
	if want.Client != "" {
		client = f.directory.App(tenant, want.Client)
	}
	if client == nil {
		return nil, group, fmt.Errorf("no app %s for tenant %s", want.Client, tenant.ID)
	}
	if want.Version < 0 || want.Version > 2 {
		return nil, group, fmt.Errorf("want 1 or 2 as version, got %d", want.Version)
	}
	api, err := apiOf(&f.directory, tenant, want)
	if err != nil {
		return nil, group, err
	}
	group = rules.PermissionGroup{App: api}
	if len(api.IdentifierURIs) > 0 && api != &rules.GraphApp {
		group.Asked = api.IdentifierURIs[0]
	}
	d := &rules.Delegation{
		Version:  rules.V2,
		Tenant:   tenant,
		Client:   client,
		User:     user,
		Strength: "1",
		SID:      f.random.guid(),
		SignedIn: f.clock.now(),
		Nonce:    want.Nonce,
		Asked:    &rules.Permissions{OIDC: []string{"openid", "profile", "email"}},
	}
	if want.Version == 1 {
		d.Version = rules.V1
	}
	return d, group, nil
}

// apiOf returns the API of a token. If want has a version, the API gets this version.
func apiOf(d *directory.Directory, tenant *directory.Tenant, want Token) (*directory.App, error) {
	if want.Kind == GraphToken {
		return &rules.GraphApp, nil
	}
	if strings.EqualFold(want.API, directory.GraphAppID) {
		return &rules.GraphApp, nil // for Kind AppToken
	}
	api := cmp.Or(d.App(tenant, want.API), d.MicrosoftAPI(want.API))
	for i := range tenant.Apps {
		if want.API == "" && len(tenant.Apps[i].Scopes) > 0 {
			api = &tenant.Apps[i]
			break
		}
	}
	switch {
	case api == nil && want.Kind == IDToken:
		return &directory.App{TokenVersion: 2}, nil // an ID token needs no API
	case api == nil:
		return nil, fmt.Errorf("no API %s for tenant %s", want.API, tenant.ID)
	case want.Version != 0:
		version := *api
		version.TokenVersion = want.Version
		return &version, nil
	}
	return api, nil
}

// pickKey sets the key that signs a draft, and returns the key ID for the header.
func (f *Fake) pickKey(
	made *signing.Draft,
	key Key,
	tenant *directory.Tenant,
	app *directory.App,
) (named string, err error) {
	switch key {
	case PresentKey:
		made.Key = f.signingKey(tenant, app)
	case NextKey:
		made.Key = f.keys.Next()
	case PreviousKey:
		made.Key = f.keys.Previous()
	case StrangerKey:
		made.Key = signing.Stranger()
		return f.keys.Active().ID(), nil
	default:
		return "", fmt.Errorf("unknown key %q; want %q, %q, %q or nothing", key, NextKey, PreviousKey, StrangerKey)
	}
	return made.Key.ID(), nil
}
