package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// secrets maps the parameters and JSON members that hold a secret to the kind of secret.
var secrets = map[string]string{
	"access_token":     "access_token",
	"assertion":        "access_token",
	"client_assertion": "client_assertion",
	"client_secret":    "client_secret",
	"code":             "code",
	"code_verifier":    "code_verifier",
	"device_code":      "device_code",
	"id_token":         "id_token",
	"id_token_hint":    "id_token",
	"password":         "password",
	"refresh_token":    "refresh_token",
	"user_code":        "user_code",
}

// maxSecrets bounds the secrets with a number.
const maxSecrets = 10_000

// A mask gives secrets their numbers.
type mask struct {
	names  *lru.Cache[[sha256.Size]byte, string]
	counts map[string]int
}

func newMask() *mask {
	m := &mask{}
	m.clear()
	return m
}

func (m *mask) clear() {
	m.names, _ = lru.New[[sha256.Size]byte, string](maxSecrets) // the size is positive, so no error
	m.counts = map[string]int{}
}

// name returns the text that replaces a secret.
func (m *mask) name(kind, secret string) string {
	if secret == "" {
		return ""
	}
	return m.nameOf(kind, sha256.Sum256([]byte(secret)))
}

func (m *mask) nameOf(kind string, sum [sha256.Size]byte) string {
	name, found := m.names.Get(sum)
	if !found {
		m.counts[kind]++
		name = fmt.Sprintf("[%s %d]", kind, m.counts[kind])
		m.names.Add(sum, name)
	}
	return name
}

func (m *mask) values(params url.Values) url.Values {
	if len(params) == 0 {
		return nil
	}
	masked := url.Values{}
	for _, name := range sorted(params) { // a fixed order, so the numbers are the same in every run
		if len(masked) == maxValues {
			break
		}
		values := params[name][:min(len(params[name]), maxValues)]
		kept := make([]string, len(values))
		for i, value := range values {
			if kind, secret := secrets[name]; secret {
				kept[i] = m.name(kind, value)
			} else {
				kept[i] = short(value)
			}
		}
		masked[short(name)] = kept
	}
	return masked
}

func (m *mask) header(header http.Header) http.Header {
	masked := make(http.Header, len(header))
	for name, values := range header {
		if len(masked) == maxValues {
			break
		}
		value := strings.Join(values, ", ")
		switch name {
		case "Authorization", "Proxy-Authorization":
			value = m.credential(value)
		case "X-Identity-Header", "Secret": // of managed identities
			value = m.name("identity_header", value)
		case "Cookie":
			value = m.name("cookie", value)
		}
		masked[name] = []string{short(value)}
	}
	return masked
}

// credential masks the value of Authorization. It keeps the client ID of Basic.
func (m *mask) credential(value string) string {
	scheme, secret, _ := strings.Cut(value, " ")
	switch {
	case secret == "":
		return m.name("credential", value)
	case strings.EqualFold(scheme, "Bearer"):
		return scheme + " " + m.name("access_token", secret)
	case strings.EqualFold(scheme, "Basic"):
		if id, password, isBasic := readBasic(secret); isBasic {
			return scheme + " " + id + ":" + m.name("client_secret", password)
		}
	}
	return short(scheme) + " " + m.name("credential", secret)
}

// readBasic decodes Basic credentials. It reports false if they are malformed.
func readBasic(encoded string) (id, password string, isBasic bool) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	id, password, isBasic = strings.Cut(string(text), ":")
	if plain, err := url.QueryUnescape(password); err == nil {
		password = plain
	}
	return id, password, isBasic
}

// location masks the secrets in the query and the fragment of an address.
func (m *mask) location(address string) string {
	head, fragment, hasFragment := strings.Cut(address, "#")
	head, query, hasQuery := strings.Cut(head, "?")
	if hasQuery {
		head += "?" + m.query(query)
	}
	if hasFragment {
		head += "#" + m.query(fragment)
	}
	return short(head)
}

func (m *mask) query(text string) string {
	parts := strings.Split(text, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if kind, secret := secrets[name]; secret {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
			parts[i] = name + "=" + m.name(kind, value)
		}
	}
	return strings.Join(parts, "&")
}

// A passage is a piece of text and the secret after it. The hash of the secret is enough to find
// its number.
type passage struct {
	text   string
	kind   string            // empty if no secret follows
	secret [sha256.Size]byte // hash
}

// passages takes the secrets out of a JSON text of encoding/json. It keeps the rest unchanged.
func passages(text []byte) []passage {
	var all []passage
	from := 0 // start of the passage
	for at := 0; ; {
		// The end of a name before a string. Inside a string the quotes are escaped.
		found := bytes.Index(text[at:], []byte(`":"`))
		if found < 0 {
			return append(all, passage{text: string(text[from:])})
		}
		name := text[:at+found]
		kind, secret := secrets[string(name[bytes.LastIndexByte(name, '"')+1:])]
		at += found + len(`":"`)
		if !secret {
			continue
		}
		end := at
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(text))
		next := passage{text: string(text[from:at])}
		if end > at {
			next.kind = kind
			next.secret = sha256.Sum256(text[at:end])
		}
		all = append(all, next)
		at = end
		from = end
	}
}

// join writes passages with the numbers of their secrets.
func (m *mask) join(all []passage) string {
	var out strings.Builder
	for _, part := range all {
		out.WriteString(part.text)
		if part.kind != "" {
			out.WriteString(m.nameOf(part.kind, part.secret))
		}
	}
	return out.String()
}
