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
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/engine"
)

// tokenHeader: what a server makes of the JOSE header, which the sender of a token chooses (RFC 8725 sections 3.9 to 3.11, RFC 7515 section 4).
func tokenHeader() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/token/embedded-key", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-024", "server-401-embedded-key-ignored"},
			Reference: "RFC 8725 sections 3.1 and 3.10; RFC 7515 section 4.1.3",
			Sentence:  "A key that a token brings along (jwk) is not believed.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				key := strangersKey()
				brought := map[string]any{"alg": "ES256", "jwk": jwk(key, text(s.header, "kid"))}
				anonymous := map[string]any{"alg": "ES256", "jwk": jwk(key, "")}
				return []forgery{
					{name: "jwk with the issuer's key id", edits: engine.Edits{Algorithm: "ES256", Key: key, Header: members(brought)}},
					{name: "jwk without a key id", edits: engine.Edits{Algorithm: "ES256", Key: key, Header: both(members(anonymous), member("kid", nothing))}},
				}
			}),
		},
		{
			ID: "server/token/key-address", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-025", "server-401-embedded-key-ignored"},
			Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.2 and 4.1.5",
			Sentence:  "Keys at an address that a token names (jku, x5u) are not believed, and the address is not called.",
			Run:       keyAddress,
		},
		{
			ID: "server/token/certificate-chain", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good,
			Covers:    []string{"RS-026", "server-401-embedded-key-ignored"},
			Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.6 to 4.1.8",
			Sentence:  "A certificate that a token brings along (x5c), or a thumbprint, does not make a stranger's key good.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				key := strangersKey()
				certificate := selfSigned(key)
				chain := []string{base64.StdEncoding.EncodeToString(certificate)}
				print := sha1.Sum(certificate)
				edits := func(header map[string]any) engine.Edits {
					return engine.Edits{Algorithm: "ES256", Key: key, Header: members(header)}
				}
				return []forgery{
					{name: "x5c of its own", edits: edits(map[string]any{"x5c": chain})},
					{name: "x5c of its own, with its thumbprint", edits: edits(map[string]any{"x5c": chain, "x5t": encoded(string(print[:])), "kid": encoded(string(print[:]))})},
					{name: "the issuer's key id as thumbprint", edits: edits(map[string]any{"x5t": text(s.header, "kid")})},
				}
			}),
		},
		{
			ID: "server/token/key-id", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-027"},
			Reference: "RFC 8725 section 3.10; RFC 7515 section 4.1.4",
			Sentence:  "A key id is compared and nothing else: a path, a query or a command in it has no effect.",
			Run:       forged(unauthorized, withKeyIDs),
		},
		{
			ID: "server/token/critical-extension", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsMint: true, Covers: []string{"RS-029"},
			Reference: "RFC 7515 section 4.1.11; RFC 7797 section 7",
			Sentence:  "A token with an extension that has to be understood (crit), and is not, is refused.",
			Run: forged(unauthorized, fixed(
				forgery{name: "an unknown extension", edits: engine.Edits{Header: members(map[string]any{"crit": []string{"x"}, "x": 1})}},
				forgery{name: "an extension that is not there", edits: engine.Edits{Header: member("crit", []string{"x"})}},
				forgery{name: "a claim as extension", edits: engine.Edits{Header: members(map[string]any{"crit": []string{"exp"}, "exp": 1})}},
				forgery{name: "an unencoded payload", edits: engine.Edits{Header: members(map[string]any{"crit": []string{"b64"}, "b64": false})}},
			)),
		},
		{
			ID: "server/token/duplicate-header", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-030"},
			Reference: "RFC 7515 section 4; RFC 8725 section 2.6",
			Sentence:  "Of a header member that stands there twice the first one never decides.",
			Run: forged(unauthorized, fixed(
				forgery{name: "alg none last", edits: engine.Edits{HeaderText: last(`"alg":"none"`)}},
				forgery{name: "an unknown alg last", edits: engine.Edits{HeaderText: last(`"alg":"XX999"`)}},
				forgery{name: "an unknown kid last", edits: engine.Edits{HeaderText: last(`"kid":"nobody's"`)}},
			)),
		},
		{
			ID: "server/token/type", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-031"},
			Reference: "RFC 8725 section 3.11; RFC 9068 section 4",
			Sentence:  "A token of another type than access tokens have (typ) is refused: a must where access tokens are at+jwt, good practice elsewhere.",
			Run: forged(unauthorized, func(s *specimen) []forgery {
				var all []forgery
				level := engine.Level("")
				if !s.profiled() {
					level = engine.Policy
				}
				for _, typ := range []string{"dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "application/dpop+jwt"} {
					all = append(all, forgery{name: "typ " + typ, level: level, edits: engine.Edits{Header: member("typ", typ)}})
				}
				return all
			}),
		},
	}
}

// members is an edit that sets several members.
func members(set map[string]any) func(map[string]any) {
	return func(members map[string]any) { maps.Copy(members, set) }
}

func both(one, other func(map[string]any)) func(map[string]any) {
	return func(members map[string]any) {
		one(members)
		other(members)
	}
}

func jwk(key crypto.Signer, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig", Algorithm: "ES256"}
}

// selfSigned is a certificate that a key makes for itself.
func selfSigned(key crypto.Signer) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // a template of ours
	}
	return certificate
}

// keyAddress names a lure in the header. To call it breaks a lesser rule than to believe it: RFC 8725 says SHOULD.
func keyAddress(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := examine(trial.Token)
	if err != nil {
		return err
	}
	key := strangersKey()
	lure, err := newLure(quoted(map[string]any{"keys": []any{jwk(key, text(s.header, "kid"))}}))
	if err != nil {
		return err
	}
	defer lure.Close()
	host := strings.TrimPrefix(lure.URL, "http://")
	issuer := strings.TrimSuffix(text(s.claims, "iss"), "/")
	_, authority, _ := strings.Cut(issuer, "://")
	authority, _, _ = strings.Cut(authority, "/")
	addresses := map[string]string{
		"an address of its own":         lure.URL + "/keys",
		"the issuer as user of another": "http://" + authority + "@" + host + "/keys",
		"an address without scheme":     "//" + host + "/keys",
		"the issuer's name in the path": lure.URL + "/" + authority + "/keys",
		"a redirect at the issuer":      issuer + "/authorize?redirect_uri=" + lure.URL + "/keys",
		"a fragment after the issuer":   lure.URL + "/keys#" + issuer,
	}
	var forgeries []forgery
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		for _, header := range []string{"jku", "x5u"} {
			forgeries = append(forgeries, forgery{name: header + ", " + name, edits: engine.Edits{Algorithm: "ES256", Key: key, Header: member(header, addresses[name])}})
		}
	}
	if err := denyAll(ctx, p, trial, unauthorized, forgeries); err != nil {
		return err
	}
	if hits := lure.hits.Load(); hits > 0 {
		return p.Lesser(engine.Should, "no request to the address in a token", fmt.Sprintf("%d requests", hits))
	}
	return nil
}

// withKeyIDs are the names of files, statements and commands with the key that would fit if they had their effect: none, or one of zeros.
func withKeyIDs(*specimen) []forgery {
	var all []forgery
	for _, id := range []any{
		"../../../../../../dev/null", "/dev/null", "file:///dev/null", "' OR 1=1--", "x' UNION SELECT '", "`id`", "|id", "$(id)", "%0d%0aX: 1", "\r\nX: 1", "\x00",
		"http://127.0.0.1:1/keys", "__proto__", "constructor", strings.Repeat("k", 4000), []string{"x"}, map[string]any{}, 1, nil, true, "",
	} {
		name := quoted(id)
		name = "kid " + name[:min(len(name), 40)]
		all = append(all,
			forgery{name: name + ", HMAC with an empty key", edits: engine.Edits{Algorithm: "HS256", Key: []byte{}, Header: member("kid", id)}},
			forgery{name: name + ", a stranger's key", edits: engine.Edits{Algorithm: "ES256", Key: strangersKey(), Header: member("kid", id)}},
		)
	}
	return append(all, forgery{name: "kid of 64 KiB", want: tooLong, edits: engine.Edits{Algorithm: "HS256", Key: []byte{}, Header: member("kid", strings.Repeat("k", 64<<10))}})
}
