package checks

import (
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenFormChecks are checks of server/token: how strictly a token is read (RFC 7515 sections 2, 3
// and 7, RFC 8725 sections 2.4 and 3.7).
func tokenFormChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/encrypted",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.6; RFC 7516 section 7.1",
				Sentence: "An encrypted token, with its rounds, its bombs and its nesting, is refused like any other " +
					"that is not good.",
				Covers: []string{"RS-032"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(tooLong, attack.Fixed(encryptedForgeries()...)),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/json-serialization",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7519 section 1; RFC 7515 section 7.2",
				Sentence: "A token in JSON serialization, or without its payload, is refused: a JWT is " +
					"always compact.",
				Covers: []string{"RS-033"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesForged(attack.BadOrNot, func(s *attack.Specimen) []attack.Forgery {
				parts := strings.Split(s.Token, ".")
				flattened := `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] +
					`"}`
				signature := `{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
				general := `{"payload":"` + parts[1] + `","signatures":[{"protected":"` +
					attack.Encoded(`{"alg":"none"}`) + `","signature":""},` + signature + `]}`
				becomes := func(text string) func(string) string { return func(string) string { return text } }
				return []attack.Forgery{
					{Name: "flattened", Text: becomes(flattened)},
					{Name: "general, with one good signature of two", Text: becomes(general)},
					{Name: "flattened, in base64url", Text: becomes(attack.Encoded(flattened))},
					{Name: "detached", Text: becomes(parts[0] + ".." + parts[2])},
				}
			}),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/parts",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7515 section 3.1; RFC 7519 section 7.2",
				Sentence: "A token with another number of parts than three is refused, and a flood of dots " +
					"does no harm.",
				Covers: []string{"RS-034"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesForged(tooLong, attack.Fixed(
				attack.Forgery{
					Name: "one part",
					Text: func(token string) string { return strings.ReplaceAll(token, ".", "") },
				},
				attack.Forgery{
					Name: "two parts",
					Text: func(token string) string { return token[:strings.LastIndexByte(token, '.')] },
				},
				attack.Forgery{Name: "four parts", Text: func(token string) string { return token + ".AAAA" }},
				attack.Forgery{Name: "five parts", Text: func(token string) string { return token + ".AAAA.AAAA" }},
				attack.Forgery{Name: "an empty fourth part", Text: func(token string) string { return token + "." }},
				attack.Forgery{Name: "an empty part in front", Text: func(token string) string { return "." + token }},
				attack.Forgery{
					Name: "the good token twice",
					Text: func(token string) string { return token + "." + token },
				},
				attack.Forgery{Name: "dots alone", Text: func(string) string { return ".." }},
				attack.Forgery{
					Name: "a million dots",
					Text: func(string) string { return strings.Repeat(".", 1_000_000) },
				},
				attack.Forgery{
					Name: "a good token and 100,000 dots",
					Text: func(token string) string { return token + strings.Repeat(".", 100_000) },
				},
				attack.Forgery{
					Name: "100,000 commas",
					Text: func(token string) string { return token + strings.Repeat(",", 100_000) },
				},
			)),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/base64",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 7515 section 2; RFC 4648 section 5",
				Sentence: "A part with padding, in the other alphabet of base64, or with bytes outside of it " +
					"is refused.",
				Covers: []string{"RS-035"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.BadOrNot, withOtherBase64),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/header-form",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.7; RFC 7515 section 4; RFC 8259 section 8.1",
				Sentence:  "A header that is not one JSON object in UTF-8 is refused.",
				Covers:    []string{"RS-036"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(
				attack.Unauthorized,
				attack.Fixed(badTexts(func(edit func([]byte) []byte) bench.Edits {
					return bench.Edits{HeaderText: edit}
				})...),
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/claims-form",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7519 sections 2 and 7.2; RFC 8725 section 3.7",
				Sentence:  "Claims that are not one JSON object in UTF-8 are refused.",
				Covers:    []string{"RS-058"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run: attack.RefusesForged(
				attack.Unauthorized,
				attack.Fixed(badTexts(func(edit func([]byte) []byte) bench.Edits {
					return bench.Edits{ClaimsText: edit}
				})...),
			),
		},
	}
}

// tooLong are the answers to a token that may be longer than the server takes a header.
var tooLong = []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}

// encryptedForgeries are made of nothing but a header and noise: to find that out, a server has to
// decrypt them.
func encryptedForgeries() []attack.Forgery {
	jwe := func(header string) func(string) string {
		return func(string) string {
			return strings.Join(
				[]string{
					attack.Encoded(header),
					attack.Encoded(strings.Repeat("k", 256)),
					attack.Encoded("twelve bytes"),
					attack.Encoded(strings.Repeat("c", 1024)),
					attack.Encoded("sixteen bytes..."),
				},
				".",
			)
		}
	}
	var all []attack.Forgery
	for name, header := range map[string]string{
		"RSA-OAEP":           `{"alg":"RSA-OAEP","enc":"A256GCM"}`,
		"RSA1_5":             `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
		"dir":                `{"alg":"dir","enc":"A256GCM","cty":"JWT"}`,
		"PBES2, many rounds": `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"c2FsdHNhbHQ","p2c":2147483647}`,
		"compressed":         `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
	} {
		all = append(all, attack.Forgery{Name: name, Text: jwe(header)})
	}
	nested := "innermost"
	for range 12 {
		nested = attack.Encoded(
			`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`,
		) + ".." + attack.Encoded("twelve bytes") + "." + attack.Encoded(nested) + "." + attack.Encoded("tag")
		nested = nested[:min(len(nested), 4000)]
	}
	slices.SortFunc(all, func(a, b attack.Forgery) int { return strings.Compare(a.Name, b.Name) })
	return append(all, attack.Forgery{Name: "nested", Text: func(string) string { return nested }})
}

func withOtherBase64(s *attack.Specimen) []attack.Forgery {
	inSignature := func(name string, change func(signature string) string) attack.Forgery {
		return attack.Forgery{
			Name: "the signature " + name,
			Text: func(token string) string {
				cut := strings.LastIndexByte(token, '.') + 1
				return token[:cut] + change(token[cut:])
			},
		}
	}
	inClaims := func(name string, change func(claims string) string) attack.Forgery {
		return attack.Forgery{
			Name: "the claims " + name,
			Edits: bench.Edits{Encoded: func(input string) string {
				header, claims, _ := strings.Cut(input, ".")
				return header + "." + change(claims)
			}},
		}
	}
	inHeader := func(name string, change func(header string) string) attack.Forgery {
		return attack.Forgery{
			Name: "the header " + name,
			Edits: bench.Edits{Encoded: func(input string) string {
				header, claims, _ := strings.Cut(input, ".")
				return change(header) + "." + claims
			}},
		}
	}
	changes := []struct {
		name   string
		change func(part string) string
	}{
		{"with padding", func(part string) string { return part + strings.Repeat("=", max(1, (4-len(part)%4)%4)) }},
		{"with a blank inside", func(part string) string { return part[:4] + " " + part[4:] }},
		{"with a tab inside", func(part string) string { return part[:4] + "\t" + part[4:] }},
		{"with an illegal byte inside", func(part string) string { return part[:4] + "!" + part[4:] }},
		{"with a tilde inside", func(part string) string { return part[:4] + "~" + part[4:] }},
		{"with padding inside", func(part string) string { return part[:4] + "=" + part[4:] }},
	}
	// Question marks have the last character of the alphabet in their encoding, wherever they
	// stand.
	other := bench.Edits{
		Header:  attack.Member("x", "????"),
		Claims:  attack.Member("x", "????"),
		Encoded: strings.NewReplacer("-", "+", "_", "/").Replace,
	}
	all := []attack.Forgery{{Name: "header and claims in the other alphabet", Edits: other}}
	if signature := s.Token[strings.LastIndexByte(s.Token, '.'):]; strings.ContainsAny(signature, "-_") {
		all = append(all, inSignature("in the other alphabet", strings.NewReplacer("-", "+", "_", "/").Replace))
	}
	for _, one := range changes {
		all = append(
			all,
			inSignature(one.name, one.change),
			inClaims(one.name, one.change),
			inHeader(one.name, one.change),
		)
	}
	return all
}

// badTexts are texts that are no JSON object, or not that alone.
func badTexts(edits func(func([]byte) []byte) bench.Edits) []attack.Forgery {
	becomes := func(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }
	around := func(before, after string) func([]byte) []byte {
		return func(text []byte) []byte { return []byte(before + string(text) + after) }
	}
	wide := func(text []byte) []byte { // UTF-16
		var out []byte
		for _, b := range text {
			out = append(out, 0, b)
		}
		return out
	}
	var all []attack.Forgery
	for _, one := range []struct {
		name string
		edit func([]byte) []byte
		want []int
	}{
		{"no JSON", becomes("no JSON"), nil},
		{"nothing", becomes(""), nil},
		{"null", becomes("null"), nil},
		{"a number", becomes("1"), nil},
		{"a string", around(`"`, `"`), nil},
		{"an array", around("[", "]"), nil},
		{"a byte order mark", around("\xef\xbb\xbf", ""), nil},
		{"UTF-16", wide, nil},
		{"bytes that are no UTF-8", attack.Last("\"x\":\"\xff\xfe\""), nil},
		{"half a surrogate pair in UTF-8", attack.Last("\"x\":\"\xed\xa0\x80\""), nil},
		{"another object after it", around("", `{"x":1}`), nil},
		{"a bracket after it", around("", "}"), nil},
		{"no end", attack.Replaced("}", ""), nil},
		{"a comment", around("/* */", ""), nil},
		{"10,000 levels", attack.Last(`"x":` + strings.Repeat("[", 10_000)), tooLong},
		{"64 KiB", attack.Last(`"x":"` + strings.Repeat("x", 64<<10) + `"`), tooLong},
	} {
		all = append(all, attack.Forgery{Name: one.name, Edits: edits(one.edit), Want: one.want})
	}
	return all
}
