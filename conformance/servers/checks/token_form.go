package checks

import (
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenFormChecks returns the checks of server/token about how strictly a token is parsed (RFC 7515
// sections 2, 3 and 7, RFC 8725 sections 2.4 and 3.7).
func tokenFormChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/encrypted",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.6; RFC 7516 section 7.1",
				Sentence: "An encrypted token is refused like any bad token, even with many key rounds, " +
					"compression or nesting.",
				Covers: []string{"RS-032"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(tooLong, tokenEncryptedForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/json-serialization",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 7519 section 1; RFC 7515 section 7.2",
				Sentence: "A token in JSON serialization, or without its payload, is refused: a JWT is " +
					"always compact.",
				Covers: []string{"RS-033"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Malformed, tokenJSONSerializationForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/parts",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7515 section 3.1; RFC 7519 section 7.2",
				Sentence: "A token that does not have three parts is refused, and a flood of dots does no " +
					"harm.",
				Covers: []string{"RS-034"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(tooLong, tokenPartsForgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/base64",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 7515 sections 2 and 5.2",
				Sentence: "A part with padding, in the other alphabet of base64, or with illegal characters " +
					"is refused.",
				Covers: []string{"RS-035"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Malformed, tokenBase64Forgeries),
		},
		{
			Rule: check.Rule{
				ID:        "server/token/header-form",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 8725 section 3.7; RFC 7515 sections 4 and 5.2",
				Sentence:  "A header that is not one JSON object in UTF-8 is refused.",
				Covers:    []string{"RS-036"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.IssuerKey},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenHeaderFormForgeries),
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
			Run:    attack.RefusesForged(attack.Unauthorized, tokenClaimsFormForgeries),
		},
	}
}

// tokenEncryptedForgeries returns tokens with the header of an encrypted token and random text.
// Only a server that decrypts them notices.
func tokenEncryptedForgeries(*attack.JWT) []attack.Forgery {
	jwe := func(header string) func(string) string {
		parts := []string{
			attack.Base64(header),
			attack.Base64(strings.Repeat("k", 256)),
			attack.Base64("twelve bytes"),
			attack.Base64(strings.Repeat("c", 1024)),
			attack.Base64("sixteen bytes..."),
		}
		return func(string) string { return strings.Join(parts, ".") }
	}
	return []attack.Forgery{
		{Name: "RSA-OAEP", Text: jwe(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)},
		{Name: "RSA1_5", Text: jwe(`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`)},
		{Name: "dir", Text: jwe(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`)},
		{
			Name: "PBES2, many rounds",
			Text: jwe(`{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"c2FsdHNhbHQ","p2c":2147483647}`),
		},
		{Name: "compressed", Text: jwe(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)},
		{Name: "nested", Text: func(string) string { return nestedJWE() }},
	}
}

// nestedJWE returns a token that claims to encrypt a token, twelve times.
func nestedJWE() string {
	header := attack.Base64(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`)
	nested := "innermost"
	for range 12 {
		parts := []string{
			header,
			"",
			attack.Base64("twelve bytes"),
			attack.Base64(nested),
			attack.Base64("tag"),
		}
		nested = strings.Join(parts, ".")
		nested = nested[:min(len(nested), 4000)]
	}
	return nested
}

// tokenJSONSerializationForgeries returns the good token in other serializations.
func tokenJSONSerializationForgeries(jwt *attack.JWT) []attack.Forgery {
	parts := strings.Split(jwt.Token, ".")
	flattened := `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
	signature := `{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
	unsigned := `{"protected":"` + attack.Base64(`{"alg":"none"}`) + `","signature":""}`
	general := `{"payload":"` + parts[1] + `","signatures":[` + unsigned + `,` + signature + `]}`
	is := func(text string) func(string) string { return func(string) string { return text } }
	return []attack.Forgery{
		{Name: "flattened", Text: is(flattened)},
		{Name: "general, with one good signature of two", Text: is(general)},
		{Name: "flattened, in base64url", Text: is(attack.Base64(flattened))},
		{Name: "detached", Text: is(parts[0] + ".." + parts[2]), Severity: check.Critical},
	}
}

func tokenPartsForgeries(*attack.JWT) []attack.Forgery {
	return []attack.Forgery{
		{
			Name: "one part",
			Text: func(token string) string { return strings.ReplaceAll(token, ".", "") },
		},
		{
			Name: "two parts",
			Text: func(token string) string { return token[:strings.LastIndexByte(token, '.')] },
		},
		{Name: "four parts", Text: func(token string) string { return token + ".AAAA" }},
		{Name: "five parts", Text: func(token string) string { return token + ".AAAA.AAAA" }},
		{Name: "an empty fourth part", Text: func(token string) string { return token + "." }},
		{Name: "an empty part in front", Text: func(token string) string { return "." + token }},
		{
			Name: "the good token twice",
			Text: func(token string) string { return token + "." + token },
		},
		{Name: "dots alone", Text: func(string) string { return ".." }},
		{
			Name: "a million dots",
			Text: func(string) string { return strings.Repeat(".", 1_000_000) },
		},
		{
			Name: "a good token and 100,000 dots",
			Text: func(token string) string { return token + strings.Repeat(".", 100_000) },
		},
		{
			Name: "100,000 commas",
			Text: func(token string) string { return token + strings.Repeat(",", 100_000) },
		},
	}
}

// tokenBase64Forgeries returns tokens with each part in a form that strict decoders refuse.
func tokenBase64Forgeries(jwt *attack.JWT) []attack.Forgery {
	// The encoding of ???? has the last character of the alphabet, wherever the text starts.
	otherAlphabet := strings.NewReplacer("-", "+", "_", "/").Replace
	forgeries := []attack.Forgery{{
		Name: "header and claims in the other alphabet",
		Edits: bench.Edits{
			Header:  attack.Member("x", "????"),
			Claims:  attack.Member("x", "????"),
			Encoded: otherAlphabet,
		},
	}}
	if signature := jwt.Token[strings.LastIndexByte(jwt.Token, '.'):]; strings.ContainsAny(signature, "-_") {
		forgeries = append(forgeries, inSignature("in the other alphabet", otherAlphabet))
	}
	for _, flaw := range []struct {
		name   string
		change func(part string) string
	}{
		{"with padding", func(part string) string { return part + strings.Repeat("=", max(1, (4-len(part)%4)%4)) }},
		{"with a blank inside", insert(" ")},
		{"with a tab inside", insert("\t")},
		{"with an illegal byte inside", insert("!")},
		{"with a tilde inside", insert("~")},
		{"with padding inside", insert("=")},
	} {
		forgeries = append(forgeries,
			inSignature(flaw.name, flaw.change),
			inClaims(flaw.name, flaw.change),
			inHeader(flaw.name, flaw.change),
		)
	}
	return forgeries
}

// insert returns a change that inserts text after four characters.
func insert(text string) func(string) string {
	return func(part string) string { return part[:4] + text + part[4:] }
}

func inSignature(name string, change func(string) string) attack.Forgery {
	return attack.Forgery{
		Name: "the signature " + name,
		Text: func(token string) string {
			cut := strings.LastIndexByte(token, '.') + 1
			return token[:cut] + change(token[cut:])
		},
	}
}

func inClaims(name string, change func(string) string) attack.Forgery {
	edit := func(input string) string {
		header, claims, _ := strings.Cut(input, ".")
		return header + "." + change(claims)
	}
	return attack.Forgery{Name: "the claims " + name, Edits: bench.Edits{Encoded: edit}}
}

func inHeader(name string, change func(string) string) attack.Forgery {
	edit := func(input string) string {
		header, claims, _ := strings.Cut(input, ".")
		return change(header) + "." + claims
	}
	return attack.Forgery{Name: "the header " + name, Edits: bench.Edits{Encoded: edit}}
}

func tokenHeaderFormForgeries(*attack.JWT) []attack.Forgery {
	return malformedObjects(func(edit func([]byte) []byte) bench.Edits { return bench.Edits{HeaderText: edit} })
}

// tooLong are the answers to a token that may exceed the server's limit for headers.
var tooLong = []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}

func tokenClaimsFormForgeries(*attack.JWT) []attack.Forgery {
	return malformedObjects(func(edit func([]byte) []byte) bench.Edits { return bench.Edits{ClaimsText: edit} })
}

// malformedObjects returns texts that are not one JSON object in UTF-8. A byte order mark is
// missing here, because a parser may ignore it (RFC 8259 section 8.1).
func malformedObjects(edits func(func([]byte) []byte) bench.Edits) []attack.Forgery {
	is := func(text string) func([]byte) []byte { return func([]byte) []byte { return []byte(text) } }
	around := func(before, after string) func([]byte) []byte {
		return func(text []byte) []byte { return []byte(before + string(text) + after) }
	}
	return []attack.Forgery{
		{Name: "no JSON", Edits: edits(is("no JSON"))},
		{Name: "nothing", Edits: edits(is(""))},
		{Name: "null", Edits: edits(is("null"))},
		{Name: "a number", Edits: edits(is("1"))},
		{Name: "a string", Edits: edits(around(`"`, `"`))},
		{Name: "an array", Edits: edits(around("[", "]"))},
		{Name: "UTF-16", Edits: edits(toUTF16), Severity: check.Low},
		{
			Name:     "bytes that are not UTF-8",
			Edits:    edits(attack.Last("\"x\":\"\xff\xfe\"")),
			Severity: check.Low,
		},
		{
			Name:     "half a surrogate pair in UTF-8",
			Edits:    edits(attack.Last("\"x\":\"\xed\xa0\x80\"")),
			Severity: check.Low,
		},
		{Name: "another object after it", Edits: edits(around("", `{"x":1}`))},
		{Name: "a bracket after it", Edits: edits(around("", "}"))},
		{Name: "no end", Edits: edits(attack.Replace("}", ""))},
		{Name: "a comment", Edits: edits(around("/* */", ""))},
		{Name: "10,000 levels", Edits: edits(attack.Last(`"x":` + strings.Repeat("[", 10_000))), Want: tooLong},
		{
			// It is well-formed, so only the signature makes it bad.
			Name:  "64 KiB, and a bad signature",
			Edits: edits(attack.Last(`"x":"` + strings.Repeat("x", 64<<10) + `"`)),
			Text:  attack.Tamper,
			Want:  tooLong,
		},
	}
}

// toUTF16 converts ASCII to UTF-16, big endian.
func toUTF16(text []byte) []byte {
	var wide []byte
	for _, b := range text {
		wide = append(wide, 0, b)
	}
	return wide
}
