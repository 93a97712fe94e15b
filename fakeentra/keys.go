package fakeentra

import (
	"net/http"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/signing"
)

// Rotate is a planned rollover: the next published key signs from now on, a new one is published,
// and the oldest is withdrawn. The second Rotate begins with fresh keys, which nobody knows.
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

// handleKeys serves the JSON Web Key Set. Each key names the issuer that it may sign for; the
// literal {tenantid} stands for every tenant. The sets that serve personal accounts have their
// keys, too, and with appid there is the key of an app that has its own (L: that the others are
// there as well).
func (f *Fake) handleKeys(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		place, problem := f.rules.TenantPath(r.PathValue("tenant"))
		if problem != nil {
			f.writeDiscoveryError(w, r, problem)
			return
		}
		set := struct {
			Keys []signing.JWK `json:"keys"`
		}{Keys: []signing.JWK{}}
		add := func(issuer string, keys ...*signing.Key) {
			for _, key := range keys {
				one := key.JWK()
				if version == "2.0" {
					one.Cloud = f.cloud.instance
					one.Issuer = issuer
				}
				set.Keys = append(set.Keys, one)
			}
		}
		app := f.rules.AnyApp(r.URL.Query().Get("appid"))
		if place.Tenant == nil || !place.Tenant.Personal() {
			add(place.Issuer, f.keys.Published()...)
		}
		if place.Tenant == nil || place.Tenant.Personal() {
			add(f.Issuer(directory.ConsumersTenantID), f.keys.Personal()...)
		}
		if app != nil && app.OwnSigningKey {
			add(place.Issuer, f.keys.Own(app.ID, app.DisplayName, f.clock.now()))
		}
		writeOpenDocument(w, set)
	}
}
