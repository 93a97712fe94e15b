package fakeentra

import (
	"net/http"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/signing"
)

// Rotate makes a planned rollover. The next published key signs from now on, a new key is
// published, and the oldest is withdrawn. From the second Rotate on, the new keys are not part of
// the source.
func (f *Fake) Rotate() error { return f.keys.Rotate(f.clock.now(), f.rules.HasPersonalAccounts()) }

// EmergencyRotate makes the rollover after a key was lost. It withdraws the signing key at once, so
// all tokens that this key signed become invalid.
func (f *Fake) EmergencyRotate() error {
	return f.keys.EmergencyRotate(f.clock.now(), f.rules.HasPersonalAccounts())
}

// signingKey returns the key for the tokens of a tenant's people for an app: the app's own key, the
// key for personal accounts, or the key for all organizations.
func (f *Fake) signingKey(tenant *directory.Tenant, app *directory.App) *signing.Key {
	switch {
	case app.OwnSigningKey:
		return f.keys.Own(app.ID, app.DisplayName, f.clock.now())
	case tenant.Personal():
		return f.keys.ActivePersonal()
	}
	return f.keys.Active()
}

// PublicKeyThumbprints returns the RFC 7638 thumbprints (SHA-256, base64url) of the keys in this
// package's source. Anyone with the source can sign with them, so a server in production should
// refuse these keys.
func PublicKeyThumbprints() []string { return signing.Thumbprints() }

// handleKeys serves the JSON Web Key Set. Each key names its issuer. The literal {tenantid} in an
// issuer means every tenant. Sets for personal accounts also have the keys of these accounts. With
// appid the set also has the app's own key (L: together with the others).
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
				published := key.JWK()
				if version == "2.0" {
					published.Cloud = f.cloud.instance
					published.Issuer = issuer
				}
				set.Keys = append(set.Keys, published)
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
