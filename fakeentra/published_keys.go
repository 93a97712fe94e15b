package fakeentra

import "mcpentra/fakeentra/internal/signing"

// A PublishedKey is a key of the fake's key sets.
type PublishedKey struct {
	ID  string `json:"kid"`
	Use KeyUse `json:"use"`
	// Modulus and Exponent are the members n and e of the key's JWK (RFC 7518 section 6.3.1).
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
}

// A KeyUse says what the fake does with a published key.
type KeyUse string

// The uses of keys. Previous and next keys sign only tokens that Mint makes for tests.
const (
	UsePresent  KeyUse = "present"  // signs
	UseNext     KeyUse = "next"     // signs after Rotate
	UsePrevious KeyUse = "previous" // goes with Rotate
	UsePersonal KeyUse = "personal" // signs for personal accounts, or did so before
	UseOwn      KeyUse = "own"      // signs for one app alone
)

// Keys returns the published keys. The first one signs.
func (f *Fake) Keys() []PublishedKey {
	published := []PublishedKey{describeKey(f.keys.Active(), UsePresent)}
	use := UsePrevious
	for _, key := range f.keys.Published() {
		if key.ID() == published[0].ID {
			use = UseNext // the ring holds previous keys, the signing key and the next one
			continue
		}
		published = append(published, describeKey(key, use))
	}
	for _, key := range f.keys.Personal() {
		published = append(published, describeKey(key, UsePersonal))
	}
	for _, key := range f.keys.OwnKeys() {
		published = append(published, describeKey(key, UseOwn))
	}
	return published
}

func describeKey(key *signing.Key, use KeyUse) PublishedKey {
	shown := key.JWK()
	return PublishedKey{ID: shown.ID, Use: use, Modulus: shown.Modulus, Exponent: shown.Exponent}
}
