package token

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxToken is above Entra's longest token (about 9 KiB with 200 groups) and below the limits of
	// header lines, in bytes.
	maxToken = 16 << 10
	// maxKeyID bounds key IDs in bytes. They are compared with every published key.
	maxKeyID = 512
	// maxNumericDate is the last second of the year 9999. Later times cannot be formatted.
	maxNumericDate = 253402300799
)

// compact is a well-formed JWS in compact serialization (RFC 7515 section 7.1). Nothing in it is
// verified.
type compact struct {
	header members
	claims members

	algorithm, keyID, typ string
	payload               []byte
	signed                string // header and payload, the text that is signed
	signature             []byte
}

// members are the members of a JSON object.
type members map[string]jsontext.Value

// parseCompact parses a JWT (RFC 7519 section 7.2): a JWS with claims.
func parseCompact(raw string) (*compact, *InvalidError) {
	c, invalid := parseSigned(raw)
	if invalid != nil {
		return nil, invalid
	}
	claims, err := parseObject(c.payload, registeredClaims)
	if err != nil {
		return nil, &InvalidError{Reason: BadClaims}
	}
	c.claims = claims
	return c, nil
}

// parseSigned parses a JWS, and refuses every form that two parsers could read differently (RFC
// 8725 sections 2.4, 2.6 and 3.7).
func parseSigned(raw string) (*compact, *InvalidError) {
	if len(raw) > maxToken {
		return nil, &InvalidError{Reason: Oversized}
	}
	// This refuses encrypted tokens (five parts), and so decompression bombs, before any decoding.
	if strings.Count(raw, ".") != 2 {
		return nil, &InvalidError{Reason: NotThreeParts}
	}
	parts := strings.Split(raw, ".")
	var decoded [3][]byte
	for i, part := range parts {
		segment, err := decodeSegment(part)
		if err != nil {
			return nil, &InvalidError{Reason: BadEncoding}
		}
		decoded[i] = segment
	}
	// The payload may be empty (RFC 7515 section 5.1), but empty claims are refused.
	if parts[0] == "" || parts[2] == "" {
		return nil, &InvalidError{Reason: BadEncoding}
	}
	header, err := parseObject(decoded[0], registeredHeaders)
	if err != nil {
		return nil, &InvalidError{Reason: BadHeader}
	}
	c := &compact{
		header:    header,
		payload:   decoded[1],
		signed:    raw[:len(raw)-len(parts[2])-1],
		signature: decoded[2],
	}
	if err := c.readHeader(); err != nil {
		return nil, &InvalidError{Reason: BadHeader}
	}
	return c, nil
}

// readHeader reads the used members and refuses members that change the meaning of the token:
// critical extensions (crit, b64), the sender's own keys (jwk, jku, x5u: RFC 8725 section 3.10),
// compression, encryption and nesting. It ignores x5c and x5t, because Entra's v1 tokens have x5t.
func (c *compact) readHeader() error {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "zip", "enc", "cty"} {
		if _, there := c.header[name]; there {
			return errors.New("a header member that is not allowed")
		}
	}
	var errs [3]error
	c.algorithm, errs[0] = c.header.text("alg")
	c.keyID, errs[1] = c.header.text("kid")
	c.typ, errs[2] = c.header.text("typ")
	if len(c.keyID) > maxKeyID {
		return errors.New("a key id out of bounds")
	}
	return errors.Join(errs[:]...)
}

// registeredHeaders and registeredClaims are names whose look-alikes ("Alg", "EXP") are refused. A
// parser that ignores case would read the look-alike.
var (
	registeredHeaders = newNames(
		"alg",
		"kid",
		"typ",
		"cty",
		"crit",
		"b64",
		"jwk",
		"jku",
		"x5u",
		"x5c",
		"x5t",
		"x5t#S256",
		"zip",
		"enc",
		"nonce",
	)
	registeredClaims = newNames(
		"iss",
		"sub",
		"aud",
		"exp",
		"nbf",
		"iat",
		"jti",
		"tid",
		"oid",
		"scp",
		"scope",
		"scopes",
		"roles",
		"groups",
		"azp",
		"azpacr",
		"appid",
		"appidacr",
		"client_id",
		"idtyp",
		"nonce",
		"ver",
		"cnf",
		"act",
		"may_act",
		"acr",
		"amr",
		"auth_time",
		"sid",
		"uti",
		"name",
		"preferred_username",
		"email",
		"upn",
		"at_hash",
		"c_hash",
		"acct",
		"idp",
		"hasgroups",
		"_claim_names",
	)
)

// names maps the lower case of names to the names.
type names map[string]string

func newNames(all ...string) names {
	found := make(names, len(all))
	for _, name := range all {
		found[strings.ToLower(name)] = name
	}
	return found
}

// resembles reports whether a name differs from one of these only in case.
func (n names) resembles(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			// The long s and the Kelvin sign equal ASCII letters if case is ignored.
			return slices.ContainsFunc(
				slices.Collect(maps.Values(n)),
				func(known string) bool { return strings.EqualFold(known, name) },
			)
		}
	}
	known, found := n[strings.ToLower(name)]
	return found && known != name
}

// decoders are reused, because making a decoder costs more than reading a header.
var (
	decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(noReader) }}
	noReader = strings.NewReader("")
)

// parseObject reads exactly one JSON object. jsontext refuses duplicate names, at any depth, and
// invalid UTF-8. parseObject refuses names that differ from a registered name only in case. The
// values are parts of data, so data must not change.
func parseObject(data []byte, registered names) (members, error) {
	dec := decoders.Get().(*jsontext.Decoder)
	// The decoder reads from a bytes.Buffer without copying.
	dec.Reset(bytes.NewBuffer(data))
	defer func() {
		dec.Reset(noReader) // drops the token
		decoders.Put(dec)
	}()
	if dec.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	m := make(members, 24) // as many as Entra's tokens have
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if registered.resembles(key) {
			return nil, errors.New("a name that differs from a registered one by case alone")
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m[key] = value
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, errors.New("something after the JSON object")
	}
	return m, nil
}

// text returns the string member of that name, or "" if it is absent.
func (m members) text(name string) (string, error) {
	value, there := m[name]
	if !there {
		return "", nil
	}
	return unquote(value)
}

// texts returns a member that may be a string or an array of strings (aud: RFC 7519 section 4.1.3).
func (m members) texts(name string) ([]string, error) {
	value, there := m[name]
	if !there {
		return nil, nil
	}
	if value.Kind() == '"' {
		text, err := unquote(value)
		return []string{text}, err
	}
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	if open, err := dec.ReadToken(); err != nil || open.Kind() != '[' {
		return nil, errors.New("neither a string nor an array")
	}
	var list []string
	for dec.PeekKind() != ']' {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		text, err := unquote(element)
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}

// numericDate returns a member in seconds since 1970 (RFC 7519 section 2), which may have a
// fraction. It returns the zero time if the member is absent.
func (m members) numericDate(name string) (time.Time, error) {
	value, there := m[name]
	if !there {
		return time.Time{}, nil
	}
	if value.Kind() != '0' {
		return time.Time{}, errors.New("not a number")
	}
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || seconds <= 0 || seconds > maxNumericDate {
		return time.Time{}, errors.New("a time out of bounds")
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)), nil
}

func unquote(value jsontext.Value) (string, error) {
	if value.Kind() != '"' {
		return "", errors.New("not a string")
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err
}

// decodeSegment decodes canonical base64url without padding (RFC 7515 section 2). It checks every
// byte, because the standard decoder skips line breaks.
func decodeSegment(segment string) ([]byte, error) {
	for i := range len(segment) {
		switch b := segment[i]; {
		case 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == '_':
		default:
			return nil, errors.New("a byte outside base64url")
		}
	}
	return base64.RawURLEncoding.Strict().DecodeString(segment)
}
