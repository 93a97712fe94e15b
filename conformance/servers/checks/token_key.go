package checks

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenKeyChecks returns the checks of server/token about keys that a token brings or names (RFC
// 8725 section 3.10, RFC 7515 section 4.1).
func tokenKeyChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/embedded-key",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 3.1 and 3.10; RFC 7515 section 4.1.3",
				Sentence:  "A key that is embedded in the token (jwk) is not trusted.",
				Covers:    []string{"RS-024", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenEmbeddedKeyForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/key-address",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.2 and 4.1.5",
				Sentence: "Keys at a URL in the token (jku, x5u) are not trusted, and the URL is not " +
					"called.",
				Covers: []string{"RS-025", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithJWT(tokenKeyAddress),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/certificate-chain",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.6 to 4.1.8",
				Sentence: "A certificate (x5c) or a thumbprint in the token does not make an unknown key " +
					"trusted.",
				Covers: []string{"RS-026", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenCertificateChainForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/key-id",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.10; RFC 7515 section 4.1.4",
				Sentence:  "A key ID is only compared: a path, a query or a command in it has no effect.",
				Covers:    []string{"RS-027"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenKeyIDForgeries),
		},
	}
}

// tokenEmbeddedKeyForgeries returns tokens whose header has the key that signed them.
func tokenEmbeddedKeyForgeries(jwt *attack.JWT) []attack.Forgery {
	key := attack.NewKey()
	named := attack.Members(map[string]any{"alg": "ES256", "jwk": jwk(key, attack.Text(jwt.Header, "kid"))})
	anonymous := attack.Members(map[string]any{"alg": "ES256", "jwk": jwk(key, "")})
	withoutID := attack.Both(anonymous, attack.Member("kid", attack.Absent))
	return []attack.Forgery{
		{
			Name:  "jwk with the issuer's key id",
			Edits: bench.Edits{Algorithm: "ES256", Key: key, Header: named},
		},
		{
			Name:  "jwk without a key id",
			Edits: bench.Edits{Algorithm: "ES256", Key: key, Header: withoutID},
		},
	}
}

// jwk returns the JWK of a P-256 key.
func jwk(key crypto.Signer, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig", Algorithm: "ES256"}
}

// tokenKeyAddress names a trap in the header. A server that only calls the trap breaks a SHOULD of
// RFC 8725; a server that trusts the key breaks a MUST.
func tokenKeyAddress(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	key := attack.NewKey()
	trap, err := attack.NewTrap(attack.JSON(map[string]any{"keys": []any{jwk(key, attack.Text(jwt.Header, "kid"))}}))
	if err != nil {
		return err
	}
	defer trap.Close()
	var forgeries []attack.Forgery
	for _, address := range trapAddresses(trap, attack.Text(jwt.Claims, "iss")) {
		for _, header := range []string{"jku", "x5u"} {
			edit := attack.Member(header, address.url)
			forgeries = append(forgeries, attack.Forgery{
				Name:  header + ", " + address.name,
				Edits: bench.Edits{Algorithm: "ES256", Key: key, Header: edit},
			})
		}
	}
	if err := attack.TryForgeries(ctx, p, trial, attack.Unauthorized, forgeries); err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return p.MismatchAt(check.Should, "no request to the address in a token", fmt.Sprintf("%d requests", hits))
	}
	return nil
}

type namedURL struct{ name, url string }

// trapAddresses returns addresses of the trap. Most of them look like the issuer's to a careless
// parser.
func trapAddresses(trap *attack.Trap, issuer string) []namedURL {
	issuer = strings.TrimSuffix(issuer, "/")
	host := strings.TrimPrefix(trap.URL, "http://")
	_, authority, _ := strings.Cut(issuer, "://")
	authority, _, _ = strings.Cut(authority, "/")
	return []namedURL{
		{"an address of its own", trap.URL + "/keys"},
		{"the issuer as user of another", "http://" + authority + "@" + host + "/keys"},
		{"an address without scheme", "//" + host + "/keys"},
		{"the issuer's name in the path", trap.URL + "/" + authority + "/keys"},
		{"a redirect at the issuer", issuer + "/authorize?redirect_uri=" + trap.URL + "/keys"},
		{"a fragment after the issuer", trap.URL + "/keys#" + issuer},
	}
}

// tokenCertificateChainForgeries returns tokens with a self-signed certificate or with thumbprints.
func tokenCertificateChainForgeries(jwt *attack.JWT) []attack.Forgery {
	key := attack.NewKey()
	certificate := selfSigned(key)
	chain := []string{base64.StdEncoding.EncodeToString(certificate)}
	sum := sha1.Sum(certificate)
	thumbprint := attack.Base64(string(sum[:]))
	edits := func(header map[string]any) bench.Edits {
		return bench.Edits{Algorithm: "ES256", Key: key, Header: attack.Members(header)}
	}
	return []attack.Forgery{
		{Name: "x5c of its own", Edits: edits(map[string]any{"x5c": chain})},
		{
			Name:  "x5c of its own, with its thumbprint",
			Edits: edits(map[string]any{"x5c": chain, "x5t": thumbprint, "kid": thumbprint}),
		},
		{
			Name:  "the issuer's key id as thumbprint",
			Edits: edits(map[string]any{"x5t": attack.Text(jwt.Header, "kid")}),
		},
	}
}

// selfSigned returns a certificate that a key has signed for itself.
func selfSigned(key crypto.Signer) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "unknown"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // the template is a constant
	}
	return certificate
}

// tokenKeyIDForgeries returns key IDs that are names of files, statements and commands. If a server
// opens or runs them, the key is empty.
func tokenKeyIDForgeries(*attack.JWT) []attack.Forgery {
	emptyKey := func(id any) bench.Edits {
		return bench.Edits{Algorithm: "HS256", Key: []byte{}, Header: attack.Member("kid", id)}
	}
	var forgeries []attack.Forgery
	for _, id := range []any{
		"../../../../../../dev/null",
		"/dev/null",
		"file:///dev/null",
		"' OR 1=1--",
		"x' UNION SELECT '",
		"`id`",
		"|id",
		"$(id)",
		"%0d%0aX: 1",
		"\r\nX: 1",
		"\x00",
		"http://127.0.0.1:1/keys",
		"__proto__",
		"constructor",
		strings.Repeat("k", 4000),
		[]string{"x"},
		map[string]any{},
		1,
		nil,
		true,
		"",
	} {
		text := attack.JSON(id)
		name := "kid " + text[:min(len(text), 40)]
		unknownKey := bench.Edits{Algorithm: "ES256", Key: attack.NewKey(), Header: attack.Member("kid", id)}
		want := attack.Unauthorized
		if len(text) > 2<<10 {
			want = tooLong
		}
		forgeries = append(forgeries,
			attack.Forgery{Name: name + ", HMAC with an empty key", Edits: emptyKey(id), Want: want},
			attack.Forgery{Name: name + ", an unknown key", Edits: unknownKey, Want: want},
		)
	}
	return append(forgeries, attack.Forgery{
		Name:  "kid of 64 KiB",
		Edits: emptyKey(strings.Repeat("k", 64<<10)),
		Want:  tooLong,
	})
}
