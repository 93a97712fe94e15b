package checks

import (
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// tooLong are the answers to a token that may be longer than the server takes a header.
var tooLong = []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}

// tokenForm: how strictly a token is read (RFC 7515 sections 2, 3 and 7, RFC 8725 sections 2.4 and 3.7).
func tokenForm() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/token/encrypted", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-032"},
			Reference: "RFC 8725 section 3.6; RFC 7516 section 7.1",
			Sentence:  "An encrypted token, with its rounds, its bombs and its nesting, is refused like any other that is not good.",
			Run:       forged(tooLong, fixed(encryptedForgeries()...)),
		},
		{
			ID: "server/token/json-serialization", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-033"},
			Reference: "RFC 7519 section 1; RFC 7515 section 7.2",
			Sentence:  "A token in JSON serialization, or without its payload, is refused: a JWT is always compact.",
			Run: forged(badOrNot, func(s *specimen) []forgery {
				parts := strings.Split(s.token, ".")
				flattened := `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
				signature := `{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
				general := `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + encoded(`{"alg":"none"}`) + `","signature":""},` + signature + `]}`
				becomes := func(text string) func(string) string { return func(string) string { return text } }
				return []forgery{
					{name: "flattened", text: becomes(flattened)}, {name: "general, with one good signature of two", text: becomes(general)},
					{name: "flattened, in base64url", text: becomes(encoded(flattened))}, {name: "detached", text: becomes(parts[0] + ".." + parts[2])},
				}
			}),
		},
		{
			ID: "server/token/parts", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-034"},
			Reference: "RFC 7515 section 3.1; RFC 7519 section 7.2",
			Sentence:  "A token with another number of parts than three is refused, and a flood of dots does no harm.",
			Run: forged(tooLong, fixed(
				forgery{name: "one part", text: func(token string) string { return strings.ReplaceAll(token, ".", "") }},
				forgery{name: "two parts", text: func(token string) string { return token[:strings.LastIndexByte(token, '.')] }},
				forgery{name: "four parts", text: func(token string) string { return token + ".AAAA" }},
				forgery{name: "five parts", text: func(token string) string { return token + ".AAAA.AAAA" }},
				forgery{name: "an empty fourth part", text: func(token string) string { return token + "." }},
				forgery{name: "an empty part in front", text: func(token string) string { return "." + token }},
				forgery{name: "the good token twice", text: func(token string) string { return token + "." + token }},
				forgery{name: "dots alone", text: func(string) string { return ".." }},
				forgery{name: "a million dots", text: func(string) string { return strings.Repeat(".", 1_000_000) }},
				forgery{name: "a good token and 100,000 dots", text: func(token string) string { return token + strings.Repeat(".", 100_000) }},
				forgery{name: "100,000 commas", text: func(token string) string { return token + strings.Repeat(",", 100_000) }},
			)),
		},
		{
			ID: "server/token/base64", Role: engine.Server, Level: engine.Must, Severity: engine.Low, Needs: good, NeedsMint: true, Covers: []string{"RS-035"},
			Reference: "RFC 7515 section 2; RFC 4648 section 5",
			Sentence:  "A part with padding, in the other alphabet of base64, or with bytes outside of it is refused.",
			Run:       forged(badOrNot, withOtherBase64),
		},
		{
			ID: "server/token/header-form", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-036"},
			Reference: "RFC 8725 section 3.7; RFC 7515 section 4; RFC 8259 section 8.1",
			Sentence:  "A header that is not one JSON object in UTF-8 is refused.",
			Run:       forged(unauthorized, fixed(badTexts(func(edit func([]byte) []byte) engine.Edits { return engine.Edits{HeaderText: edit} })...)),
		},
		{
			ID: "server/token/claims-form", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, NeedsMint: true, Covers: []string{"RS-058"},
			Reference: "RFC 7519 sections 2 and 7.2; RFC 8725 section 3.7",
			Sentence:  "Claims that are not one JSON object in UTF-8 are refused.",
			Run:       forged(unauthorized, fixed(badTexts(func(edit func([]byte) []byte) engine.Edits { return engine.Edits{ClaimsText: edit} })...)),
		},
	}
}

// encryptedForgeries are made of nothing but a header and noise: to find that out, a server has to decrypt them.
func encryptedForgeries() []forgery {
	jwe := func(header string) func(string) string {
		return func(string) string {
			return strings.Join([]string{encoded(header), encoded(strings.Repeat("k", 256)), encoded("twelve bytes"), encoded(strings.Repeat("c", 1024)), encoded("sixteen bytes...")}, ".")
		}
	}
	var all []forgery
	for name, header := range map[string]string{
		"RSA-OAEP":           `{"alg":"RSA-OAEP","enc":"A256GCM"}`,
		"RSA1_5":             `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
		"dir":                `{"alg":"dir","enc":"A256GCM","cty":"JWT"}`,
		"PBES2, many rounds": `{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2s":"c2FsdHNhbHQ","p2c":2147483647}`,
		"compressed":         `{"alg":"dir","enc":"A256GCM","zip":"DEF"}`,
	} {
		all = append(all, forgery{name: name, text: jwe(header)})
	}
	nested := "innermost"
	for range 12 {
		nested = encoded(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`) + ".." + encoded("twelve bytes") + "." + encoded(nested) + "." + encoded("tag")
		nested = nested[:min(len(nested), 4000)]
	}
	slices.SortFunc(all, func(a, b forgery) int { return strings.Compare(a.name, b.name) })
	return append(all, forgery{name: "nested", text: func(string) string { return nested }})
}

func withOtherBase64(s *specimen) []forgery {
	inSignature := func(name string, change func(signature string) string) forgery {
		return forgery{name: "the signature " + name, text: func(token string) string {
			cut := strings.LastIndexByte(token, '.') + 1
			return token[:cut] + change(token[cut:])
		}}
	}
	inClaims := func(name string, change func(claims string) string) forgery {
		return forgery{name: "the claims " + name, edits: engine.Edits{Encoded: func(input string) string {
			header, claims, _ := strings.Cut(input, ".")
			return header + "." + change(claims)
		}}}
	}
	inHeader := func(name string, change func(header string) string) forgery {
		return forgery{name: "the header " + name, edits: engine.Edits{Encoded: func(input string) string {
			header, claims, _ := strings.Cut(input, ".")
			return change(header) + "." + claims
		}}}
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
	// Question marks have the last character of the alphabet in their encoding, wherever they stand.
	other := engine.Edits{Header: member("x", "????"), Claims: member("x", "????"), Encoded: strings.NewReplacer("-", "+", "_", "/").Replace}
	all := []forgery{{name: "header and claims in the other alphabet", edits: other}}
	if signature := s.token[strings.LastIndexByte(s.token, '.'):]; strings.ContainsAny(signature, "-_") {
		all = append(all, inSignature("in the other alphabet", strings.NewReplacer("-", "+", "_", "/").Replace))
	}
	for _, one := range changes {
		all = append(all, inSignature(one.name, one.change), inClaims(one.name, one.change), inHeader(one.name, one.change))
	}
	return all
}

// badTexts are texts that are no JSON object, or not that alone.
func badTexts(edits func(func([]byte) []byte) engine.Edits) []forgery {
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
	var all []forgery
	for _, one := range []struct {
		name string
		edit func([]byte) []byte
		want []int
	}{
		{"no JSON", becomes("no JSON"), nil}, {"nothing", becomes(""), nil}, {"null", becomes("null"), nil}, {"a number", becomes("1"), nil},
		{"a string", around(`"`, `"`), nil}, {"an array", around("[", "]"), nil},
		{"a byte order mark", around("\xef\xbb\xbf", ""), nil}, {"UTF-16", wide, nil},
		{"bytes that are no UTF-8", last("\"x\":\"\xff\xfe\""), nil}, {"half a surrogate pair in UTF-8", last("\"x\":\"\xed\xa0\x80\""), nil},
		{"another object after it", around("", `{"x":1}`), nil}, {"a bracket after it", around("", "}"), nil}, {"no end", replaced("}", ""), nil},
		{"a comment", around("/* */", ""), nil}, {"10,000 levels", last(`"x":` + strings.Repeat("[", 10_000)), tooLong},
		{"64 KiB", last(`"x":"` + strings.Repeat("x", 64<<10) + `"`), tooLong},
	} {
		all = append(all, forgery{name: one.name, edits: edits(one.edit), want: one.want})
	}
	return all
}
