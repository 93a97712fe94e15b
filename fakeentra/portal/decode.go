package portal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// maxToken bounds a token in bytes.
const maxToken = 64 << 10

// A decoded token is a token in parts, with the verdict of a careful resource server.
type decoded struct {
	Raw     string
	Header  string // indented JSON
	Payload string // indented JSON
	Times   []moment
	Checks  []check
	Refused int // number of failed checks
}

// A moment is a claim that is a time, in words.
type moment struct {
	Claim string
	At    time.Time
	Words string
}

// A reader decodes tokens and checks them.
type reader struct {
	directory *directory.Directory
	keys      []fakeentra.PublishedKey
	issuer    func(tenantID string) string
	v1Issuer  func(tenantID string) string
	graph     string
	now       time.Time
}

// read decodes a token and checks it for an audience and a scope. Both may be empty. The error says
// why the text is not a signed JWT.
func (d *reader) read(raw, audience, scope string) (*decoded, error) {
	t, err := split(raw)
	if err != nil {
		return nil, err
	}
	found := &decoded{Raw: raw, Header: indented(t.headerText), Payload: indented(t.payloadText)}
	for _, name := range []string{"iat", "nbf", "exp", "auth_time"} {
		if at, isTime := t.time(name); isTime {
			found.Times = append(found.Times, moment{name, at, distance(d.now, at)})
		}
	}
	found.Checks = d.check(t, audience, scope)
	for _, one := range found.Checks {
		if !one.Passed {
			found.Refused++
		}
	}
	return found, nil
}

// A parsed token is a compact JWS with JSON objects as header and payload.
type parsed struct {
	raw         string
	headerText  []byte
	payloadText []byte
	signature   []byte
	header      map[string]any
	claims      map[string]any
	doubled     string // a name that appears twice, or empty
}

// split parses a token.
func split(raw string) (*parsed, error) {
	switch {
	case raw == "":
		return nil, errors.New("want a token, got nothing; paste one into the field")
	case len(raw) > maxToken:
		return nil, fmt.Errorf("want a token of at most %d bytes, got %d", maxToken, len(raw))
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("want a JWT of three parts with dots between them, got %d parts; "+
			"refresh tokens and codes are opaque and cannot be decoded", len(parts))
	}
	t := &parsed{raw: raw}
	for i, into := range []*[]byte{&t.headerText, &t.payloadText, &t.signature} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, fmt.Errorf("part %d of the token: want base64url without padding: %w", i+1, err)
		}
		*into = text
	}
	for _, part := range []struct {
		name string
		text []byte
		into *map[string]any
	}{{"header", t.headerText, &t.header}, {"payload", t.payloadText, &t.claims}} {
		if !utf8.Valid(part.text) {
			return nil, fmt.Errorf("the %s of the token: want JSON, got bytes that are not UTF-8", part.name)
		}
		decoder := json.NewDecoder(bytes.NewReader(part.text))
		decoder.UseNumber()
		if err := decoder.Decode(part.into); err != nil {
			return nil, fmt.Errorf("the %s of the token: want a JSON object: %w", part.name, err)
		}
		if name := doubledName(part.text); name != "" {
			t.doubled = name
		}
	}
	return t, nil
}

// doubledName returns a member name that appears twice at the top of an object, or nothing.
func doubledName(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return ""
	}
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return ""
		}
		key, _ := name.(string)
		if seen[key] {
			return key
		}
		seen[key] = true
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return ""
		}
	}
	return ""
}

func indented(text []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return string(text)
	}
	return out.String()
}

// text returns a claim that is a string, or nothing.
func (t *parsed) text(name string) string {
	value, _ := t.claims[name].(string)
	return value
}

// time returns a claim that is a NumericDate between the years 1970 and 9999.
func (t *parsed) time(name string) (time.Time, bool) {
	number, isNumber := t.claims[name].(json.Number)
	seconds, err := number.Float64()
	const last = 253402300799
	if !isNumber || err != nil || seconds < 0 || seconds > last {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// distance says how far a time is from now.
func distance(now, at time.Time) string {
	by := at.Sub(now).Round(time.Second)
	if by < 0 {
		return (-by).String() + " ago"
	}
	return "in " + by.String()
}
