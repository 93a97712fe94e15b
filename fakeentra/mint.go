package fakeentra

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"sync"
	"time"

	"mcpentra/fakeentra/directory"
)

// A Token says what Mint is to make. Its zero value is a delegated access token of the first user for the first app
// that exposes an API, from the first app as client.
type Token struct {
	Kind   Kind
	Tenant string   // ID or domain; empty means the first
	User   string   // object ID or user principal name; empty means the first
	Client string   // application ID of the client (azp); empty means the first app
	API    string   // application ID of the resource (aud); empty means the first app with scopes
	Scopes []string // nil means all that the API exposes, and User.Read at Graph
	Nonce  string   // of an ID token
	// Version is 1 or 2. 0 means what the API's registration says, and 2 for an ID token.
	Version int
	// Lifetime is from the moment of issue to exp. 0 means an hour.
	Lifetime time.Duration
	// Age is how long ago the token was issued. Negative means in the future.
	Age time.Duration

	// Claims are set as they stand; nil takes a claim away.
	Claims map[string]any
	// Header are members of the JOSE header, set in the same way.
	Header map[string]any
	// Edit changes the claims before they are signed, after Claims. What it puts in must be what encoding/json can
	// write.
	Edit func(claims map[string]any)

	// Key is what the token is signed with. Empty means the key that signs at present.
	Key Key
	// Algorithm is RS256, RS384, RS512, PS256, HS256 with the PEM of the public key as the secret, or none. Empty means
	// RS256.
	Algorithm string
}

// A Kind is a kind of token.
type Kind string

// The kinds.
const (
	AccessToken Kind = ""
	AppToken    Kind = "app"   // an access token of the client for itself
	IDToken     Kind = "id"    // for the client
	GraphToken  Kind = "graph" // whose signature only Graph can verify
)

// A Key names a signing key.
type Key string

// The keys. A token names its key by kid, but for StrangerKey: its tokens name the present one.
const (
	PresentKey  Key = ""
	NextKey     Key = "next"     // published, and the present one after Rotate
	PreviousKey Key = "previous" // published, and withdrawn by Rotate
	StrangerKey Key = "stranger" // never published
)

// Mint makes a token without the dance. Its error says what the directory does not hold.
func (f *Fake) Mint(want Token) (string, error) {
	f.world.RLock()
	defer f.world.RUnlock()
	made, err := f.draft(want)
	if err != nil {
		return "", fmt.Errorf("fakeentra: mint: %w", err)
	}
	return made.sign()
}

// A draft is a token before it is signed.
type draft struct {
	header    orderedHeader
	changes   map[string]any // to the header
	claims    map[string]any
	payload   []byte // in place of the claims, for what no map can say
	key       *signingKey
	algorithm string
	hashed    bool // the signature is over the hash of the nonce, as Graph's tokens have it
}

// draft finds out what a token says.
func (f *Fake) draft(want Token) (*draft, error) {
	d, group, err := f.mintFor(want)
	if err != nil {
		return nil, err
	}
	lifetime := want.Lifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	made := &draft{algorithm: want.Algorithm}
	old := group.app.TokenVersion != 2
	switch want.Kind {
	case AccessToken, GraphToken:
		names := want.Scopes
		if names == nil && want.Kind == GraphToken {
			names = []string{"User.Read", "openid", "profile"}
		} else if names == nil {
			for _, scope := range group.app.Scopes {
				names = append(names, scope.Name)
			}
		}
		made.claims = f.userClaims(d, group, names, lifetime)
	case AppToken:
		made.claims = f.appClaims(d.tenant, d.client, d.strength, group, lifetime)
	case IDToken:
		made.claims, old = f.idClaims(*d), d.version == v1
		made.claims["exp"] = f.now().Add(lifetime).Unix()
	default:
		return nil, fmt.Errorf("no kind of token %q", want.Kind)
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		made.claims[name] = made.claims[name].(int64) - int64(want.Age/time.Second)
	}
	change(made.claims, want.Claims)
	if want.Edit != nil {
		want.Edit(made.claims)
	}
	audience := group.app
	if want.Kind == IDToken {
		audience = d.client
	}
	named, err := made.pick(f, want.Key, d.tenant, audience)
	if err != nil {
		return nil, err
	}
	if made.algorithm == "" {
		made.algorithm = "RS256"
	}
	made.header, made.changes = orderedHeader{Type: "JWT", Algorithm: made.algorithm, KeyID: named}, want.Header
	if old {
		made.header.Thumbprint = named
	}
	if want.Kind == GraphToken {
		made.hashed = true
		made.header.Nonce = base64.RawURLEncoding.EncodeToString(f.random(32))
	}
	return made, nil
}

// mintFor finds who and what a token is about.
func (f *Fake) mintFor(want Token) (*delegation, permissionGroup, error) {
	var group permissionGroup
	tenant := &f.directory.Tenants[0]
	if want.Tenant != "" {
		if tenant = f.directory.Tenant(want.Tenant); tenant == nil {
			return nil, group, fmt.Errorf("no tenant %s", want.Tenant)
		}
	}
	if len(tenant.Users) == 0 || len(tenant.Apps) == 0 {
		return nil, group, fmt.Errorf("the tenant %s has no user or no app", tenant.ID)
	}
	user, client := &tenant.Users[0], &tenant.Apps[0]
	if want.User != "" {
		if user = tenant.User(want.User); user == nil {
			return nil, group, fmt.Errorf("no user %s", want.User)
		}
	}
	if want.Client != "" {
		if client = f.directory.App(tenant, want.Client); client == nil {
			return nil, group, fmt.Errorf("no app %s", want.Client)
		}
	}
	if want.Version < 0 || want.Version > 2 {
		return nil, group, fmt.Errorf("want 1 or 2 as version, got %d", want.Version)
	}
	api, err := f.apiOf(tenant, want)
	if err != nil {
		return nil, group, err
	}
	group = permissionGroup{app: api}
	if len(api.IdentifierURIs) > 0 && api != &graphApp {
		group.asked = api.IdentifierURIs[0]
	}
	d := &delegation{
		version: v2, tenant: tenant, client: client, user: user, strength: "1", sid: f.newGUID(), signedIn: f.now(), nonce: want.Nonce,
		asked: &permissions{oidc: []string{"openid", "profile", "email"}},
	}
	if want.Version == 1 {
		d.version = v1
	}
	return d, group, nil
}

// apiOf is the resource of a token, in the version that is wanted.
func (f *Fake) apiOf(tenant *directory.Tenant, want Token) (*directory.App, error) {
	if want.Kind == GraphToken {
		return &graphApp, nil
	}
	api := f.directory.App(tenant, want.API)
	for i := range tenant.Apps {
		if want.API == "" && len(tenant.Apps[i].Scopes) > 0 {
			api = &tenant.Apps[i]
			break
		}
	}
	switch {
	case api == nil && want.Kind == IDToken:
		return &directory.App{TokenVersion: 2}, nil // an ID token is for its client
	case api == nil:
		return nil, fmt.Errorf("no API %s", want.API)
	case want.Version != 0:
		version := *api
		version.TokenVersion = want.Version
		return &version, nil
	}
	return api, nil
}

// change sets members; nil takes one away.
func change(members, changes map[string]any) {
	for name, value := range changes {
		if value == nil {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
}

// pick finds the key that signs, and the one that the header names.
func (d *draft) pick(f *Fake, key Key, tenant *directory.Tenant, app *directory.App) (named string, err error) {
	f.mu.Lock()
	published := f.keys.published
	f.mu.Unlock()
	switch key {
	case PresentKey:
		d.key = f.signingKey(tenant, app)
	case NextKey:
		d.key = published[2]
	case PreviousKey:
		d.key = published[0]
	case StrangerKey:
		d.key = strangerKey()
		return published[1].id, nil
	default:
		return "", fmt.Errorf("no key %q", key)
	}
	return d.key.id, nil
}

// strangerKey is part of the source as the others are, and never published.
var strangerKey = sync.OnceValue(func() *signingKey { return parseKey("keys/stranger.pem") })

// sign makes the token.
func (d *draft) sign() (string, error) {
	payload := d.payload
	if payload == nil {
		var err error
		if payload, err = appendClaims(nil, d.claims); err != nil {
			return "", fmt.Errorf("fakeentra: mint: the claims: %w", err)
		}
	}
	body := "." + base64.RawURLEncoding.EncodeToString(payload)
	shown, err := d.encodedHeader(d.header)
	if err != nil {
		return "", err
	}
	covered := shown
	if d.hashed {
		if covered, err = d.encodedHeader(hashedNonce(d.header)); err != nil {
			return "", err
		}
	}
	signature, err := d.signature([]byte(covered + body))
	if err != nil {
		return "", err
	}
	return shown + body + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (d *draft) encodedHeader(header orderedHeader) (string, error) {
	if len(d.changes) == 0 {
		return encode(header), nil
	}
	text, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		return "", err
	}
	change(members, d.changes)
	if text, err = json.Marshal(members); err != nil {
		return "", fmt.Errorf("fakeentra: mint: the header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

func (d *draft) signature(signed []byte) ([]byte, error) {
	var hash crypto.Hash
	switch d.algorithm {
	case "none":
		return nil, nil
	case "HS256":
		der, err := x509.MarshalPKIXPublicKey(&d.key.private.PublicKey)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		mac.Write(signed)
		return mac.Sum(nil), nil
	case "RS256", "PS256":
		hash = crypto.SHA256
	case "RS384":
		hash = crypto.SHA384
	case "RS512":
		hash = crypto.SHA512
	default:
		return nil, fmt.Errorf("fakeentra: mint: no algorithm %q", d.algorithm)
	}
	digest := hash.New()
	digest.Write(signed)
	if d.algorithm == "PS256" {
		return rsa.SignPSS(rand.Reader, d.key.private, hash, digest.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return rsa.SignPKCS1v15(nil, d.key.private, hash, digest.Sum(nil))
}
