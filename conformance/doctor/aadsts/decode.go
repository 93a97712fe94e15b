package aadsts

import (
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// rounds is how often a text can be encoded: JSON in a log line in HTML, for example.
const rounds = 3

var (
	entities = regexp.MustCompile(`&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,10});`)
	escapes  = regexp.MustCompile(`\\(?:u[0-9A-Fa-f]{4}|["'\\/nrt])`)
	tags     = regexp.MustCompile(`<[/!]?[a-zA-Z][^<>]{0,500}>`)
	tokens   = regexp.MustCompile(`\S+`)
	// encoded matches a token whose percent signs and pluses are an encoding.
	encoded = regexp.MustCompile(`(?i)AADSTS[0-9]+(?:%3a|%20|:\+|:%20)|error_description(?:=|%3d)|%[0-9a-f]{2}AADSTS`)
	percent = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)
)

// decode returns a text without the encodings of HTML, JSON and addresses.
func decode(text string) string {
	for range rounds {
		before := text
		text = entities.ReplaceAllStringFunc(text, html.UnescapeString)
		text = escapes.ReplaceAllStringFunc(text, unescape)
		text = tags.ReplaceAllStringFunc(text, withoutTag)
		text = tokens.ReplaceAllStringFunc(text, unquote)
		if text == before {
			break
		}
	}
	return strings.ToValidUTF8(text, "")
}

// unescape decodes one escape of JSON or JavaScript.
func unescape(escape string) string {
	switch escape[1] {
	case 'u':
		number, err := strconv.ParseUint(escape[2:], 16, 32)
		if err != nil {
			return escape
		}
		return string(rune(number))
	case 'n', 'r', 't':
		return " "
	}
	return escape[1:]
}

// withoutTag drops a tag of HTML that holds no code.
func withoutTag(tag string) string {
	if strings.Contains(strings.ToUpper(tag), "AADSTS") {
		return tag
	}
	return " "
}

// unquote decodes an address that carries an error.
func unquote(token string) string {
	if !encoded.MatchString(token) {
		return token
	}
	token = strings.ReplaceAll(token, "+", " ")
	return percent.ReplaceAllStringFunc(token, func(run string) string {
		decoded, err := url.PathUnescape(run)
		if err != nil {
			return run
		}
		return decoded
	})
}
