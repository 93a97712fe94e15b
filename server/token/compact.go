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
	// maxToken is above anything Entra issues (a token with 200 groups has about 9 KiB) and below
	// what a header line may hold.
	maxToken = 16 << 10
	// maxKeyID bounds what is used as a key of maps and compared with every published key.
	maxKeyID = 512
	// maxNumericDate is the last second of the year 9999: later ones do not survive formatting.
	maxNumericDate = 253402300799
)

// compact is a JWS in compact serialization (RFC 7515 section 7.1) that is well formed. Nothing in
// it is verified.
type compact struct {
	header members
	claims members

	algorithm, keyID, typ string
	payload               []byte
	signed                string // what the signature is over
	signature             []byte
}

// members are the members of a JSON object.
type members map[string]jsontext.Value

// parseCompact takes a JWT apart (RFC 7519 section 7.2): a JWS with claims.
func parseCompact(raw string) (*compact, *InvalidError) {
	c, invalid := parseSigned(raw)
	if invalid != nil {
		return nil, invalid
	}
	var err error
	if c.claims, err = parseObject(c.payload, registeredClaims); err != nil {
		return nil, &InvalidError{Reason: BadClaims}
	}
	return c, nil
}

// parseSigned takes a JWS apart, and refuses every form that two parsers could read differently
// (RFC 8725 sections 2.4, 2.6 and 3.7).
func parseSigned(raw string) (*compact, *InvalidError) {
	if len(raw) > maxToken {
		return nil, &InvalidError{Reason: Oversized}
	}
	// An encrypted token (five parts) and its decompression bombs end here, before any decoding.
	if strings.Count(raw, ".") != 2 {
		return nil, &InvalidError{Reason: NotThreeParts}
	}
	parts := strings.Split(raw, ".")
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = decodeSegment(part); err != nil {
			return nil, &InvalidError{Reason: BadEncoding}
		}
	}
	if parts[0] == "" || parts[2] == "" { // An empty payload is one (RFC 7515 section 5.1), though never claims.
		return nil, &InvalidError{Reason: BadEncoding}
	}
	c := &compact{payload: decoded[1], signed: raw[:len(raw)-len(parts[2])-1], signature: decoded[2]}
	var err error
	if c.header, err = parseObject(decoded[0], registeredHeaders); err != nil {
		return nil, &InvalidError{Reason: BadHeader}
	}
	if err = c.readHeader(); err != nil {
		return nil, &InvalidError{Reason: BadHeader}
	}
	return c, nil
}

// readHeader picks the members that are used and refuses those that would change the meaning of
// the token: extensions that must be understood (crit, b64), keys that the sender brings along
// (jwk, jku, x5u: RFC 8725 section 3.10), compression, encryption and nesting. x5c and x5t are
// ignored: Entra's v1 tokens carry x5t.
func (c *compact) readHeader() error {
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "zip", "enc", "cty"} {
		if _, there := c.header[name]; there {
			return errors.New("a header member that is not allowed")
		}
	}
	var err error
	if c.algorithm, err = c.header.text("alg"); err != nil {
		return err
	}
	if c.keyID, err = c.header.text("kid"); err != nil {
		return err
	}
	if len(c.keyID) > maxKeyID {
		return errors.New("a key id out of bounds")
	}
	c.typ, err = c.header.text("typ")
	return err
}

// registeredHeaders and registeredClaims are the names whose look-alikes ("Alg", "EXP") are
// refused: a parser that ignores case would read them instead.
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

// names are found by their lower case.
type names map[string]string

func newNames(all ...string) names {
	found := make(names, len(all))
	for _, name := range all {
		found[strings.ToLower(name)] = name
	}
	return found
}

// resembles reports whether a name is another than one of these for a strict reader alone.
func (n names) resembles(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			// Such as the long s and the Kelvin sign, which are letters of ASCII for who ignores
			// case.
			return slices.ContainsFunc(
				slices.Collect(maps.Values(n)),
				func(known string) bool { return strings.EqualFold(known, name) },
			)
		}
	}
	known, found := n[strings.ToLower(name)]
	return found && known != name
}

// decoders are kept, since making one costs more than reading a header.
var (
	decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(noReader) }}
	noReader = strings.NewReader("")
)

// parseObject reads exactly one JSON object. Duplicate names, at any depth, and invalid UTF-8 are
// refused by jsontext; names that differ from a registered one, or from each other, only by case
// are refused here. The values are parts of data, which nobody may change.
func parseObject(data []byte, registered names) (members, error) {
	dec := decoders.Get().(*jsontext.Decoder)
	// From a bytes.Buffer it reads without copying.
	dec.Reset(bytes.NewBuffer(data))
	defer func() {
		dec.Reset(noReader) // which lets go of the token
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

// text is the string member of that name, or "" where there is none.
func (m members) text(name string) (string, error) {
	value, there := m[name]
	if !there {
		return "", nil
	}
	return unquote(value)
}

// texts is a member that may be a string or an array of strings (aud: RFC 7519 section 4.1.3).
func (m members) texts(name string) ([]string, error) {
	value, there := m[name]
	if !there {
		return nil, nil
	}
	if value.Kind() == '"' {
		one, err := unquote(value)
		return []string{one}, err
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
		one, err := unquote(element)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// numericDate is a member in seconds since 1970 (RFC 7519 section 2); there may be a fraction.
// The zero time stands for an absent member.
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

// decodeSegment takes canonical base64url without padding (RFC 7515 section 2). The standard
// decoder skips line breaks, hence the look at every byte.
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
