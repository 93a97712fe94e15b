package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/servers/internal/bench"
)

// A publishedKey is a public key of the issuer, with the text that it is published as.
type publishedKey struct {
	text string
	key  jose.JSONWebKey
}

// PublishedKeys reads the key set of the authorization server that the server names, the key that
// signed the specimen first. Not every issuer publishes its keys, so that nothing found is no
// error.
func (s *Specimen) PublishedKeys(ctx context.Context, p *bench.Probe) []publishedKey {
	document, _, _, err := FindIssuer(ctx, p)
	if err != nil || document.JWKSURI == "" {
		return nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if _, err := p.JSON(ctx, document.JWKSURI, &set); err != nil {
		return nil
	}
	var found []publishedKey
	for _, text := range set.Keys {
		one := publishedKey{text: string(text)}
		if json.Unmarshal(text, &one.key) == nil && one.key.IsPublic() {
			found = append(found, one)
		}
	}
	slices.SortStableFunc(found, func(a, b publishedKey) int { return s.distance(a) - s.distance(b) })
	return found
}

func (s *Specimen) distance(one publishedKey) int {
	if one.key.KeyID == Text(s.Header, "kid") {
		return 0
	}
	return 1
}

// Secrets are what a server may take for a shared secret that confuses the two: everything about a
// public key that everybody knows.
func (s *Specimen) Secrets() map[string][]byte {
	secrets := map[string][]byte{"the key id": []byte(Text(s.Header, "kid")), "nothing": {}}
	for _, claim := range []string{"tid", "client_id", "azp", "appid", "iss"} {
		if value := Text(s.Claims, claim); value != "" {
			secrets["the claim "+claim] = []byte(value)
		}
	}
	for _, one := range s.Keys[:min(len(s.Keys), 1)] {
		secrets["the JWK"] = []byte(one.text)
		if der, err := x509.MarshalPKIXPublicKey(one.key.Key); err == nil {
			block := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			secrets["the key in DER"] = der
			secrets["the key in PEM"] = []byte(block)
			secrets["the key in PEM, without the last line break"] = []byte(strings.TrimSpace(block))
			secrets["the key in base64"] = []byte(base64.StdEncoding.EncodeToString(der))
		}
		switch key := one.key.Key.(type) {
		case *rsa.PublicKey:
			der := x509.MarshalPKCS1PublicKey(key)
			secrets["the modulus"] = key.N.Bytes()
			secrets["PKCS 1 in DER"] = der
			secrets["PKCS 1 in PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})
		case *ecdsa.PublicKey:
			if point, err := key.Bytes(); err == nil {
				secrets["the point"] = point
				secrets["the coordinate x"] = point[1 : 1+(len(point)-1)/2]
			}
		}
		for _, certificate := range one.key.Certificates {
			secrets["the certificate in DER"] = certificate.Raw
			secrets["the certificate in PEM"] = pem.EncodeToMemory(&pem.Block{
				Type:  "CERTIFICATE",
				Bytes: certificate.Raw,
			})
		}
	}
	return secrets
}
