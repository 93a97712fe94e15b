package fakeentra

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/fakeentra/directory"
)

//go:embed keys/*.pem
var keyFiles embed.FS

// A signingKey is one of the RSA keys that a fake publishes with a self-signed certificate.
type signingKey struct {
	private     *rsa.PrivateKey
	certificate []byte // DER
	id          string // kid and x5t, which are the same at Entra: the SHA-1 of the certificate
}

// A keyRing is what is published: the key that signs, the one that will, and the one that did. Order and position mean
// nothing to a client.
type keyRing struct {
	published []*signingKey // the second one signs
	coming    []*signingKey
}

func (r *keyRing) active() *signingKey { return r.published[1] }

// rotate publishes a new key, lets the next one sign and drops the oldest.
func (r *keyRing) rotate(now time.Time) error {
	var next *signingKey
	if len(r.coming) > 0 {
		next, r.coming = r.coming[0], r.coming[1:]
	} else {
		var err error
		if next, err = newSigningKey(now, workSubject); err != nil {
			return err
		}
	}
	r.published = append(append([]*signingKey(nil), r.published[1:]...), next)
	return nil
}

// drop withdraws the key that signs, as an emergency demands, and lets the next one sign.
func (r *keyRing) drop(now time.Time) error {
	before := r.active()
	if err := r.rotate(now); err != nil {
		return err
	}
	r.published = slices.DeleteFunc(slices.Clone(r.published), func(key *signingKey) bool { return key == before })
	next, err := newSigningKey(now, workSubject)
	if err != nil {
		return err
	}
	r.published = append([]*signingKey{next}, r.published...) // keeps the signing key in second place
	return nil
}

// Rotate is a planned rollover: the next published key signs from now on, a new one is published, and the oldest is
// withdrawn. The second Rotate begins with fresh keys, which nobody knows.
func (f *Fake) Rotate() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.rotatePersonal(1); err != nil {
		return err
	}
	return f.keys.rotate(f.now())
}

// rotatePersonal makes a new key for tokens of personal accounts and keeps some of the old ones. Where the directory has
// no such accounts nobody signs with it, and it is withdrawn.
func (f *Fake) rotatePersonal(keep int) error {
	if f.directory.Tenant(directory.ConsumersTenantID) == nil {
		f.personalKeys = nil
		return nil
	}
	next, err := newSigningKey(f.now(), personalSubject)
	if err != nil {
		return err
	}
	old := f.personalKeys[max(0, len(f.personalKeys)-keep):]
	f.personalKeys = append(slices.Clone(old), next)
	return nil
}

// EmergencyRotate is the rollover after a key was lost: the key that signs is withdrawn at once, and with it every
// token that it has signed.
func (f *Fake) EmergencyRotate() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.rotatePersonal(0); err != nil {
		return err
	}
	return f.keys.drop(f.now())
}

// signingKey is the key for tokens about the people of a tenant and for an app: the app's own, that for personal
// accounts, or that of all organizations.
func (f *Fake) signingKey(tenant *directory.Tenant, app *directory.App) *signingKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case app.OwnSigningKey:
		return f.ownKey(app)
	case tenant.Personal():
		return f.personalKey()
	}
	return f.keys.active()
}

// personalKey signs for personal accounts. There is none after a rotation without such accounts, until there are some.
func (f *Fake) personalKey() *signingKey {
	if len(f.personalKeys) == 0 {
		f.personalKeys = []*signingKey{mustSigningKey(f.now(), personalSubject)}
	}
	return f.personalKeys[len(f.personalKeys)-1]
}

// ownKey is the key of an app that has one of its own, made when it is first needed.
func (f *Fake) ownKey(app *directory.App) *signingKey {
	key := f.ownKeys[app.ID]
	if key == nil {
		key = mustSigningKey(f.now(), app.DisplayName)
		f.ownKeys[app.ID] = key
	}
	return key
}

// allKeys are those with which this fake may have signed a token that it still takes.
func (f *Fake) allKeys() []*signingKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Concat(f.keys.published, f.personalKeys, slices.Collect(maps.Values(f.ownKeys)))
}

// embeddedKeys is the ring that every fake starts with. Making an RSA key takes longer than a whole test; parsing is
// done once a process.
func embeddedKeys() keyRing {
	keys := parseKeys()
	return keyRing{published: keys[:3:3], coming: keys[3:4:4]}
}

// embeddedPersonalKeys are those for personal accounts that every fake starts with.
func embeddedPersonalKeys() []*signingKey { return parseKeys()[4:] }

var parseKeys = sync.OnceValue(func() []*signingKey {
	var keys []*signingKey
	for _, name := range []string{"public-1", "public-2", "public-3", "public-4", "personal-1"} {
		keys = append(keys, parseKey("keys/"+name+".pem"))
	}
	return keys
})

// parseKey reads a certificate and its key.
func parseKey(name string) *signingKey {
	text, err := keyFiles.ReadFile(name)
	if err != nil {
		panic(err) // our own file
	}
	certificate, rest := pem.Decode(text)
	private, _ := pem.Decode(rest)
	key, err := x509.ParsePKCS1PrivateKey(private.Bytes)
	if err != nil {
		panic(err)
	}
	return &signingKey{private: key, certificate: certificate.Bytes, id: thumbprint(certificate.Bytes)}
}

// Whose certificates the keys are in.
const (
	workSubject     = "accounts.accesscontrol.windows.net"
	personalSubject = "Live ID STS Signing Public Key"
)

func newSigningKey(now time.Time, subject string) (*signingKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: a new signing key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: subject},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: a new signing key: %w", err)
	}
	return &signingKey{private: key, certificate: certificate, id: thumbprint(certificate)}, nil
}

// mustSigningKey is newSigningKey where nobody can be told: it fails only where there is no randomness.
func mustSigningKey(now time.Time, subject string) *signingKey {
	key, err := newSigningKey(now, subject)
	if err != nil {
		panic(err)
	}
	return key
}

func thumbprint(certificate []byte) string {
	sum := sha1.Sum(certificate) // what x5t is defined as (RFC 7517 section 4.8)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// PublicKeyThumbprints are the RFC 7638 thumbprints (SHA-256, base64url) of the keys that are part of this package's
// source. Whoever has the source can sign with them, so a server that could meet a fake's tokens in production refuses
// these keys.
func PublicKeyThumbprints() []string {
	var prints []string
	for _, key := range parseKeys() {
		public := jose.JSONWebKey{Key: &key.private.PublicKey}
		sum, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			panic(err) // RSA keys have one
		}
		prints = append(prints, base64.RawURLEncoding.EncodeToString(sum))
	}
	return prints
}

// sign is the signature of RS256.
func (k *signingKey) sign(signed []byte) []byte {
	digest := sha256.Sum256(signed)
	signature, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, digest[:])
	if err != nil {
		panic(err) // a digest of the right length and a key that was checked when parsed
	}
	return signature
}

func (k *signingKey) modulus() string {
	return base64.RawURLEncoding.EncodeToString(k.private.N.Bytes())
}

// publishedKey has its members in the order of the wire, with no alg.
type publishedKey struct {
	KeyType      string   `json:"kty"`
	Use          string   `json:"use"`
	ID           string   `json:"kid"`
	Thumbprint   string   `json:"x5t"`
	Modulus      string   `json:"n"`
	Exponent     string   `json:"e"`
	Certificates []string `json:"x5c"`
	Cloud        string   `json:"cloud_instance_name,omitempty"`
	Issuer       string   `json:"issuer,omitempty"`
}

// handleKeys serves the JSON Web Key Set. Each key names the issuer that it may sign for; the literal {tenantid} stands
// for every tenant. The sets that serve personal accounts have their keys, too, and with appid there is the key of an app
// that has its own (L: that the others are there as well).
func (f *Fake) handleKeys(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		place, problem := f.place(r)
		if problem != nil {
			f.writeDiscoveryError(w, r, problem)
			return
		}
		set := struct {
			Keys []publishedKey `json:"keys"`
		}{Keys: []publishedKey{}}
		add := func(issuer string, keys ...*signingKey) {
			for _, key := range keys {
				one := publishedKey{
					KeyType: "RSA", Use: "sig", ID: key.id, Thumbprint: key.id,
					Modulus:      key.modulus(),
					Exponent:     base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.private.E)).Bytes()),
					Certificates: []string{base64.StdEncoding.EncodeToString(key.certificate)},
				}
				if version == "2.0" {
					one.Cloud, one.Issuer = f.cloud.instance, issuer
				}
				set.Keys = append(set.Keys, one)
			}
		}
		app := f.anyApp(r.URL.Query().Get("appid"))
		f.mu.Lock()
		if place.tenant == nil || !place.tenant.Personal() {
			add(place.issuer, f.keys.published...)
		}
		if place.tenant == nil || place.tenant.Personal() {
			add(f.Issuer(directory.ConsumersTenantID), f.personalKeys...)
		}
		if app != nil && app.OwnSigningKey {
			add(place.issuer, f.ownKey(app))
		}
		f.mu.Unlock()
		writeOpenDocument(w, set)
	}
}
