package aadsts

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// values are what a pasted text says about an error, by the names in braces.
type values map[string]string

// placeholder matches a name in braces.
var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

// optional matches a part that appears only if all its values are known.
var optional = regexp.MustCompile(`\[\[(.*?)\]\]`)

// words are used in place of values that are not known.
var words = map[string]string{
	"api":        "the API",
	"apiname":    "the API",
	"app":        "your app",
	"audience":   "the audience of the token",
	"before":     "the redirect URI of the sign-in",
	"from":       "its beginning",
	"grant":      "the grant type of the request",
	"idle":       "some time",
	"issued":     "its date",
	"issuer":     "the issuer of the token",
	"lifetime":   "its lifetime",
	"list":       "the listed resources",
	"method":     "the method of the request",
	"mode":       "the response mode of the request",
	"name":       "your app",
	"now":        "the present",
	"origin":     "the web page",
	"parameter":  "the missing parameter",
	"redirect":   "the redirect URI of the request",
	"resource":   "the resource of the request",
	"scope":      "the scope of the request",
	"subject":    "the subject of the token",
	"tenant":     "the tenant of the request",
	"thumbprint": "its thumbprint",
	"type":       "the response type of the request",
	"until":      "its end",
	"user":       "the person",
	"valid":      "its date",
	"wanted":     "the expected value",
}

// fill replaces the names in a text.
func (v values) fill(text string) string {
	text = optional.ReplaceAllStringFunc(text, func(part string) string {
		for _, name := range placeholder.FindAllStringSubmatch(part, -1) {
			if v[name[1]] == "" {
				return ""
			}
		}
		return part[2 : len(part)-2]
	})
	return placeholder.ReplaceAllStringFunc(text, func(braced string) string {
		return v.word(braced[1 : len(braced)-1])
	})
}

// word returns a value, or words for it. An app has its name before its ID.
func (v values) word(name string) string {
	value := v[name]
	label := v[map[string]string{"app": "name", "api": "apiname"}[name]]
	switch {
	case value == "" && label != "":
		return label
	case value == "":
		return words[name]
	case label != "" && label != value:
		return label + " (" + value + ")"
	}
	return value
}

// Bounds and forms of values.
const (
	mostRunes = 200
	hidden    = "(hidden)"
)

// secretLike matches tokens and secrets. The second form is the one of Entra's client secrets, the
// third is long random text. Real IDs are shorter: a GUID has 36 characters.
var secretLike = regexp.MustCompile(
	`eyJ[\w-]{5,}[\w.~-]*|[\w.~-]{3}[0-9]Q~[\w.~-]{20,}|[\w~-]{40,}|[01]\.A[\w-]{10,}[\w.-]*`,
)

// thumbprintLike matches the fingerprint of a certificate, which is not secret.
var thumbprintLike = regexp.MustCompile(`^([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)

// shown makes a value of a pasted text fit to be repeated. It has no control characters, secrets,
// passwords or query parameters.
func shown(value string) string {
	value = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(value))
	if thumbprintLike.MatchString(value) {
		return value
	}
	if scheme, rest, found := strings.Cut(value, "://"); found {
		authority, path, _ := strings.Cut(rest, "/")
		if user := strings.LastIndex(authority, "@"); user >= 0 {
			rest = hidden + rest[user:]
		}
		value = scheme + "://" + rest
		if cut := strings.IndexAny(path, "?#"); cut >= 0 {
			value = value[:len(value)-len(path)+cut] + "?…"
		}
	}
	value = secretLike.ReplaceAllString(value, hidden)
	if runes := []rune(value); len(runes) > mostRunes {
		value = string(runes[:mostRunes]) + "…"
	}
	return value
}

// gap stands between the words of a sentence.
const gap = `\s+`

// match reads the values of a sentence from a text. It returns nil if the sentence is not there.
// Texts often end early, so the longest beginning of the sentence that fits is enough.
func match(sentence, text string) values {
	names := placeholder.FindAllStringSubmatchIndex(sentence, -1)
	for count := len(names); count > 0; count-- {
		pattern := pattern(sentence, names[:count])
		found := pattern.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		read := values{}
		for i := range count {
			name := sentence[names[i][2]:names[i][3]]
			read[name] = shown(strings.Trim(found[i+1], `'"‘’“” `))
		}
		return read
	}
	return nil
}

// pattern matches a sentence up to the last of its names, and some words after it.
func pattern(sentence string, names [][]int) *regexp.Regexp {
	const after = 8 // bytes of the sentence behind the last value, enough to see its end
	var source strings.Builder
	source.WriteString(`(?is)`)
	from := 0
	for _, name := range names {
		source.WriteString(literal(sentence[from:name[0]]))
		source.WriteString(`(.{1,300}?)`)
		from = name[1]
	}
	rest := sentence[from:]
	if cut := strings.Index(rest, "{"); cut >= 0 {
		rest = rest[:cut]
	}
	rest = rest[:min(after, len(rest))]
	source.WriteString(literal(rest))
	return regexp.MustCompile(source.String())
}

// literal matches words with any white space between them.
func literal(text string) string {
	words := strings.Fields(text)
	for i := range words {
		words[i] = regexp.QuoteMeta(words[i])
	}
	source := strings.Join(words, gap)
	if strings.TrimLeft(text, " ") != text {
		source = gap + source
	}
	if len(words) > 0 && strings.TrimRight(text, " ") != text {
		source += gap
	}
	return source
}

// parameters matches the parameters of a request whose values help, in an address or a log.
var parameters = regexp.MustCompile(
	`(?i)(?:^|[?&\s"'{,])(client_id|redirect_uri|resource|scope)["']?\s*[=:]\s*` +
		`(?:"([^"]{1,600})"|([^&\s"'<>,}]{1,600}))`,
)

// names are the values that parameters of a request give, in case the sentence does not.
var parameterNames = map[string]string{
	"client_id":    "app",
	"redirect_uri": "redirect",
	"resource":     "resource",
	"scope":        "scope",
}

// authorityPath matches the tenant in an address of Entra.
var authorityPath = regexp.MustCompile(
	`(?i)https?://login\.(?:microsoftonline\.(?:com|us)|partner\.microsoftonline\.cn)/([\w.-]{4,64})/`,
)

// ofRequest reads the parameters of a request in a text.
func ofRequest(text string) values {
	found := values{}
	for _, part := range parameters.FindAllStringSubmatch(text, -1) {
		value := part[2] + part[3]
		if decoded, err := url.QueryUnescape(value); err == nil && part[3] != "" {
			value = decoded
		}
		name := parameterNames[strings.ToLower(part[1])]
		if found[name] == "" {
			found[name] = shown(value)
		}
	}
	if part := authorityPath.FindStringSubmatch(text); part != nil {
		found["tenant"] = shown(part[1])
	}
	return found
}
