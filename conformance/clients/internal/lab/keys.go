package lab

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of the lab's RSA key.
const keyBits = 2048

// serveKeys answers with the public keys of the authorization servers (RFC 7517 section 5). The key
// is made for the first request, because few clients ask.
func (l *Lab) serveKeys(w http.ResponseWriter) {
	l.keyMade.Do(func() { l.key, l.keyErr = rsa.GenerateKey(rand.Reader, keyBits) })
	if l.keyErr != nil {
		http.Error(w, "the key cannot be made", http.StatusInternalServerError)
		return
	}
	write(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key:       &l.key.PublicKey,
		KeyID:     "lab",
		Algorithm: string(jose.RS256),
		Use:       "sig",
	}}})
}
