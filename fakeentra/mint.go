package fakeentra

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// A Token says what Mint is to make. Its zero value is a delegated v2 access token of the first user for the first app
// that exposes an API.
type Token struct {
	Tenant string   // ID or domain; empty means the first
	User   string   // object ID or user principal name; empty means the first
	Client string   // application ID of the client (azp); empty means the first app
	API    string   // application ID of the resource (aud); empty means the first app with scopes
	Scopes []string // nil means all that the API exposes
	// Edit changes the claims before they are signed. What it puts in must be what encoding/json can write.
	Edit func(claims map[string]any)
}

// Mint makes a token without the dance, signed with the fake's present key. Its error says what the directory does not
// hold.
func (f *Fake) Mint(want Token) (string, error) {
	tenant := &f.directory.Tenants[0]
	if want.Tenant != "" {
		if tenant = f.directory.Tenant(want.Tenant); tenant == nil {
			return "", errors.New("fakeentra: mint: no tenant " + want.Tenant)
		}
	}
	if len(tenant.Users) == 0 || len(tenant.Apps) == 0 {
		return "", errors.New("fakeentra: mint: the tenant has no user or no app")
	}
	user, client := &tenant.Users[0], &tenant.Apps[0]
	if want.User != "" {
		if user = tenant.User(want.User); user == nil {
			return "", errors.New("fakeentra: mint: no user " + want.User)
		}
	}
	if want.Client != "" {
		if client = tenant.App(want.Client); client == nil {
			return "", errors.New("fakeentra: mint: no app " + want.Client)
		}
	}
	api := tenant.App(want.API)
	for i := range tenant.Apps {
		if want.API == "" && len(tenant.Apps[i].Scopes) > 0 {
			api = &tenant.Apps[i]
			break
		}
	}
	if api == nil {
		return "", errors.New("fakeentra: mint: no API " + want.API)
	}
	scopes := want.Scopes
	if scopes == nil {
		for _, scope := range api.Scopes {
			scopes = append(scopes, scope.Name)
		}
	}
	d := &delegation{version: v2, tenant: tenant, client: client, user: user, strength: "1", sid: f.newGUID(), signedIn: f.now()}
	group := permissionGroup{app: api, asked: api.ID}
	if len(api.IdentifierURIs) > 0 {
		group.asked = api.IdentifierURIs[0]
	}
	claims := f.userClaims(d, group, scopes, time.Hour)
	if want.Edit != nil {
		want.Edit(claims)
	}
	return f.sign(claims, api.TokenVersion != 2), nil
}

// Why one of the fake's own tokens is not taken.
var (
	errExpired = errors.New("expired")
	errForeign = errors.New("not a token of this fake")
)

// readToken verifies one of the fake's own tokens, Graph's among them, and returns its claims.
func (f *Fake) readToken(raw string) (map[string]any, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errForeign
	}
	var header orderedHeader
	claims := map[string]any{}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, errForeign
		}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
			return nil, err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	signed := parts[0] + "." + parts[1]
	if header.Nonce != "" {
		signed = encode(hashedNonce(header)) + "." + parts[1]
	}
	digest := sha256.Sum256([]byte(signed))
	f.mu.Lock()
	keys := f.keys.published
	f.mu.Unlock()
	for _, key := range keys {
		if key.id == header.KeyID && rsa.VerifyPKCS1v15(&key.private.PublicKey, crypto.SHA256, digest[:], signature) == nil {
			if expiry, _ := claims["exp"].(float64); f.now().Unix() >= int64(expiry) {
				return nil, errExpired
			}
			return claims, nil
		}
	}
	return nil, errForeign
}
