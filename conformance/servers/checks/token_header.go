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

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenHeaderChecks are checks of server/token: what a server makes of the JOSE header, which the
// sender of a token chooses (RFC 8725 sections 3.9 to 3.11, RFC 7515 section 4).
func tokenHeaderChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/embedded-key",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 3.1 and 3.10; RFC 7515 section 4.1.3",
				Sentence:  "A key that a token brings along (jwk) is not believed.",
				Covers:    []string{"RS-024", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				key := attack.StrangersKey()
				brought := map[string]any{"alg": "ES256", "jwk": jwk(key, attack.Text(s.Header, "kid"))}
				anonymous := map[string]any{"alg": "ES256", "jwk": jwk(key, "")}
				return []attack.Forgery{
					{
						Name:  "jwk with the issuer's key id",
						Edits: bench.Edits{Algorithm: "ES256", Key: key, Header: members(brought)},
					},
					{
						Name: "jwk without a key id",
						Edits: bench.Edits{
							Algorithm: "ES256",
							Key:       key,
							Header:    attack.Both(members(anonymous), attack.Member("kid", attack.Nothing)),
						},
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/key-address",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.2 and 4.1.5",
				Sentence: "Keys at an address that a token names (jku, x5u) are not believed, and the address is " +
					"not called.",
				Covers: []string{"RS-025", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    keyAddress,
		},
		{
			Rule: check.Rule{
				ID:        "server/token/certificate-chain",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 section 3.10; RFC 7515 sections 4.1.6 to 4.1.8",
				Sentence: "A certificate that a token brings along (x5c), or a thumbprint, does not make a " +
					"stranger's key good.",
				Covers: []string{"RS-026", "server-401-embedded-key-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				key := attack.StrangersKey()
				certificate := selfSigned(key)
				chain := []string{base64.StdEncoding.EncodeToString(certificate)}
				print := sha1.Sum(certificate)
				edits := func(header map[string]any) bench.Edits {
					return bench.Edits{Algorithm: "ES256", Key: key, Header: members(header)}
				}
				return []attack.Forgery{
					{Name: "x5c of its own", Edits: edits(map[string]any{"x5c": chain})},
					{
						Name: "x5c of its own, with its thumbprint",
						Edits: edits(map[string]any{
							"x5c": chain,
							"x5t": attack.Encoded(string(print[:])),
							"kid": attack.Encoded(string(print[:])),
						}),
					},
					{
						Name:  "the issuer's key id as thumbprint",
						Edits: edits(map[string]any{"x5t": attack.Text(s.Header, "kid")}),
					},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/key-id",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.10; RFC 7515 section 4.1.4",
				Sentence:  "A key id is compared and nothing else: a path, a query or a command in it has no effect.",
				Covers:    []string{"RS-027"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, withKeyIDs),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/critical-extension",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7515 section 4.1.11; RFC 7797 section 7",
				Sentence:  "A token with an extension that has to be understood (crit), and is not, is refused.",
				Covers:    []string{"RS-029"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, attack.Fixed(
				attack.Forgery{
					Name:  "an unknown extension",
					Edits: bench.Edits{Header: members(map[string]any{"crit": []string{"x"}, "x": 1})},
				},
				attack.Forgery{
					Name:  "an extension that is not there",
					Edits: bench.Edits{Header: attack.Member("crit", []string{"x"})},
				},
				attack.Forgery{
					Name:  "a claim as extension",
					Edits: bench.Edits{Header: members(map[string]any{"crit": []string{"exp"}, "exp": 1})},
				},
				attack.Forgery{
					Name:  "an unencoded payload",
					Edits: bench.Edits{Header: members(map[string]any{"crit": []string{"b64"}, "b64": false})},
				},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/duplicate-header",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7515 section 4; RFC 8725 section 2.6",
				Sentence:  "Of a header member that stands there twice the first one never decides.",
				Covers:    []string{"RS-030"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, attack.Fixed(
				attack.Forgery{Name: "alg none last", Edits: bench.Edits{HeaderText: attack.Last(`"alg":"none"`)}},
				attack.Forgery{
					Name:  "an unknown alg last",
					Edits: bench.Edits{HeaderText: attack.Last(`"alg":"XX999"`)},
				},
				attack.Forgery{
					Name:  "an unknown kid last",
					Edits: bench.Edits{HeaderText: attack.Last(`"kid":"nobody's"`)},
				},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/type",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.11; RFC 9068 section 4",
				Sentence: "A token of another type than access tokens have (typ) is refused: a must where access " +
					"tokens are at+jwt, good practice elsewhere.",
				Covers: []string{"RS-031"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(attack.Unauthorized, func(s *attack.Specimen) []attack.Forgery {
				var all []attack.Forgery
				level := check.Level("")
				if !s.Profiled() {
					level = check.Policy
				}
				for _, typ := range []string{
					"dpop+jwt",
					"logout+jwt",
					"secevent+jwt",
					"oauth-authz-req+jwt",
					"application/dpop+jwt",
				} {
					all = append(
						all,
						attack.Forgery{
							Name:  "typ " + typ,
							Level: level,
							Edits: bench.Edits{Header: attack.Member("typ", typ)},
						},
					)
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

func jwk(key crypto.Signer, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig", Algorithm: "ES256"}
}

// selfSigned is a certificate that a key makes for itself.
func selfSigned(key crypto.Signer) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "nobody"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // a template of ours
	}
	return certificate
}

// keyAddress names a trap in the header. To call it breaks a lesser rule than to believe it: RFC
// 8725 says SHOULD.
func keyAddress(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	s, err := attack.Examine(trial.Token)
	if err != nil {
		return err
	}
	key := attack.StrangersKey()
	trap, err := attack.NewTrap(attack.Quoted(map[string]any{"keys": []any{jwk(key, attack.Text(s.Header, "kid"))}}))
	if err != nil {
		return err
	}
	defer trap.Close()
	host := strings.TrimPrefix(trap.URL, "http://")
	issuer := strings.TrimSuffix(attack.Text(s.Claims, "iss"), "/")
	_, authority, _ := strings.Cut(issuer, "://")
	authority, _, _ = strings.Cut(authority, "/")
	addresses := map[string]string{
		"an address of its own":         trap.URL + "/keys",
		"the issuer as user of another": "http://" + authority + "@" + host + "/keys",
		"an address without scheme":     "//" + host + "/keys",
		"the issuer's name in the path": trap.URL + "/" + authority + "/keys",
		"a redirect at the issuer":      issuer + "/authorize?redirect_uri=" + trap.URL + "/keys",
		"a fragment after the issuer":   trap.URL + "/keys#" + issuer,
	}
	var forgeries []attack.Forgery
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		for _, header := range []string{"jku", "x5u"} {
			forgeries = append(
				forgeries,
				attack.Forgery{
					Name:  header + ", " + name,
					Edits: bench.Edits{Algorithm: "ES256", Key: key, Header: attack.Member(header, addresses[name])},
				},
			)
		}
	}
	if err := attack.DenyAll(ctx, p, trial, attack.Unauthorized, forgeries); err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return p.MismatchAt(check.Should, "no request to the address in a token", fmt.Sprintf("%d requests", hits))
	}
	return nil
}

// withKeyIDs are the names of files, statements and commands with the key that would fit if they
// had their effect: none, or one of zeros.
func withKeyIDs(*attack.Specimen) []attack.Forgery {
	var all []attack.Forgery
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
		name := attack.Quoted(id)
		name = "kid " + name[:min(len(name), 40)]
		all = append(all,
			attack.Forgery{
				Name:  name + ", HMAC with an empty key",
				Edits: bench.Edits{Algorithm: "HS256", Key: []byte{}, Header: attack.Member("kid", id)},
			},
			attack.Forgery{
				Name:  name + ", a stranger's key",
				Edits: bench.Edits{Algorithm: "ES256", Key: attack.StrangersKey(), Header: attack.Member("kid", id)},
			},
		)
	}
	return append(
		all,
		attack.Forgery{
			Name: "kid of 64 KiB",
			Want: tooLong,
			Edits: bench.Edits{
				Algorithm: "HS256",
				Key:       []byte{},
				Header:    attack.Member("kid", strings.Repeat("k", 64<<10)),
			},
		},
	)
}
