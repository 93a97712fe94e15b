package attack

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

const (
	// MalformedToken is a bearer token that no issuer has made.
	MalformedToken = "this-is-not-a-token"
	// MalformedJWT has the three parts of a JWT, but they are not base64 of JSON.
	MalformedJWT = "this.is.not-a-token"
)

// A JWT is a good token, parsed.
type JWT struct {
	Token  string
	Header map[string]any
	Claims map[string]any
}

// ParseJWT parses a good token. An opaque token gives a *check.NotApplicable: only its issuer can
// judge it, and no forgery can be made from it.
func ParseJWT(token string) (*JWT, error) {
	opaque := &check.NotApplicable{Reason: "the good token is not a JWT"}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, opaque
	}
	jwt := &JWT{Token: token}
	for i, members := range []*map[string]any{&jwt.Header, &jwt.Claims} {
		text, err := DecodeBase64(parts[i])
		if err != nil {
			return nil, opaque
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(members); err != nil {
			return nil, opaque
		}
	}
	return jwt, nil
}

// WithJWT makes the Run of a check that needs the good token parsed, after a successful trial.
func WithJWT(
	run func(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *JWT) error,
) func(ctx context.Context, p *bench.Probe) error {
	return WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		jwt, err := ParseJWT(trial.Token)
		if err != nil {
			return err
		}
		return run(ctx, p, trial, jwt)
	})
}

// FollowsRFC9068 reports whether the issuer follows the profile of RFC 9068, which is stricter than
// JWT alone.
func (jwt *JWT) FollowsRFC9068() bool { return strings.EqualFold(Text(jwt.Header, "typ"), "at+jwt") }

// Text returns a member that is a string, or "".
func Text(members map[string]any, name string) string {
	value, _ := members[name].(string)
	return value
}

// Absent is the value of a member that is missing, as distinct from null.
var Absent = new(struct{ byte })

// Member returns an edit that sets a member of a header or of claims. The value Absent removes it.
func Member(name string, value any) func(map[string]any) {
	return func(members map[string]any) {
		if value == Absent {
			delete(members, name)
			return
		}
		members[name] = value
	}
}

// Members returns an edit that sets several members.
func Members(values map[string]any) func(map[string]any) {
	return func(members map[string]any) { maps.Copy(members, values) }
}

// Both returns an edit that makes two edits.
func Both(first, second func(map[string]any)) func(map[string]any) {
	return func(members map[string]any) {
		first(members)
		second(members)
	}
}

// Replace returns an edit of JSON text that replaces the first occurrence.
func Replace(before, after string) func([]byte) []byte {
	return func(text []byte) []byte { return bytes.Replace(text, []byte(before), []byte(after), 1) }
}

// Last returns an edit of JSON text that appends members to an object.
func Last(members string) func([]byte) []byte {
	return func(text []byte) []byte { return append(text[:len(text)-1:len(text)-1], []byte(","+members+"}")...) }
}

// Tamper changes the signature of a token. It changes the first character of the base64 text, which
// always counts; the last one may be padding.
func Tamper(good string) string {
	cut := strings.LastIndexByte(good, '.')
	if cut < 0 || cut+1 == len(good) {
		return good[:max(0, len(good)-8)] + "AAAAAAAA" // an opaque token
	}
	other := byte('A')
	if good[cut+1] == other {
		other = 'B'
	}
	return good[:cut+1] + string(other) + good[cut+2:]
}

// JSON writes a value as JSON.
func JSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the values are our own, or were read from JSON
	}
	return string(text)
}

// Base64 encodes a part of a token.
func Base64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// DecodeBase64 decodes a part of a token.
func DecodeBase64(part string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(part) }

// Forge returns the token with edits, signed with another key than the issuer's.
func (jwt *JWT) Forge(key any, header, claims func(map[string]any)) string {
	good := func(context.Context) (string, error) { return jwt.Token, nil }
	forged, err := bench.Remint(nil, good)(context.Background(), bench.Edits{Key: key, Header: header, Claims: claims})
	if err != nil {
		return jwt.Token[:strings.LastIndexByte(jwt.Token, '.')] + ".AAAA" // an unknown algorithm
	}
	return forged
}
