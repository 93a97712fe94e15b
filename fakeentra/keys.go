package fakeentra

import (
	"net/http"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/signing"
)

// Rotate is a planned rollover: the next published key signs from now on, a new one is published,
// and the oldest is withdrawn. The second Rotate starts with fresh keys, which are not part of the
// source.
func (f *Fake) Rotate() error { return f.keys.Rotate(f.clock.now(), f.rules.HasPersonalAccounts()) }

// EmergencyRotate is the rollover after a key was lost. It withdraws the key that signs at once,
// and with it every token that this key has signed.
func (f *Fake) EmergencyRotate() error {
	return f.keys.EmergencyRotate(f.clock.now(), f.rules.HasPersonalAccounts())
}

// signingKey returns the key for tokens about the people of a tenant and for an app: the app's own,
// the one for personal accounts, or the one for all organizations.
func (f *Fake) signingKey(tenant *directory.Tenant, app *directory.App) *signing.Key {
	switch {
	case app.OwnSigningKey:
		return f.keys.Own(app.ID, app.DisplayName, f.clock.now())
	case tenant.Personal():
		return f.keys.ActivePersonal(f.clock.now())
	}
	return f.keys.Active()
}

// PublicKeyThumbprints are the RFC 7638 thumbprints (SHA-256, base64url) of the keys that are part
// of this package's source. Anyone with the source can sign with them. A server that could meet a
// fake's tokens in production refuses these keys.
func PublicKeyThumbprints() []string { return signing.Thumbprints() }

// handleKeys serves the JSON Web Key Set. Each key names its issuer, where the literal {tenantid}
// stands for every tenant. Sets that serve personal accounts have their keys as well. With appid
// the set has the app's own key (L: beside the others).
func (f *Fake) handleKeys(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		path, problem := f.rules.TenantPath(r.PathValue("tenant"))
		if problem != nil {
			f.writeDiscoveryError(w, r, problem)
			return
		}
		set := struct {
			Keys []signing.JWK `json:"keys"`
		}{Keys: []signing.JWK{}}
		add := func(issuer string, keys ...*signing.Key) {
			for _, key := range keys {
				jWK := key.JWK()
				if version == "2.0" {
					jWK.Cloud = f.cloud.instance
					jWK.Issuer = issuer
				}
				set.Keys = append(set.Keys, jWK)
			}
		}
		app := f.rules.AnyApp(r.URL.Query().Get("appid"))
		if path.Tenant == nil || !path.Tenant.Personal() {
			add(path.Issuer, f.keys.Published()...)
		}
		if path.Tenant == nil || path.Tenant.Personal() {
			add(f.Issuer(directory.ConsumersTenantID), f.keys.Personal()...)
		}
		if app != nil && app.OwnSigningKey {
			add(path.Issuer, f.keys.Own(app.ID, app.DisplayName, f.clock.now()))
		}
		writeOpenDocument(w, set)
	}
}
