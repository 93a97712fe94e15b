package attack

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A Forgery is a token that must not be believed: a good one, changed in one thing.
type Forgery struct {
	Name string
	// edits are made before the token is signed. With a key of its own, or with the algorithm none,
	// it is made without the issuer's.
	Edits bench.Edits
	// text changes the signed token.
	Text func(token string) string
	// want are the statuses that conform, where they are others than the check's.
	Want []int
	// level is that of the rule that this forgery is refused by, where it is another than the
	// check's.
	Level check.Level
}

// A Specimen is a good token, taken apart.
type Specimen struct {
	Token          string
	Header, Claims map[string]any
	// keys are those that the issuer publishes, as far as they are found; the first is the one that
	// signed the specimen.
	Keys []publishedKey
}

// Examine takes a good token apart. A token that is no JWT is for its issuer alone to judge, and
// none of the forgeries can be made of it.
func Examine(token string) (*Specimen, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, &check.NotApplicable{Reason: "the good token is not a JWT"}
	}
	s := &Specimen{Token: token}
	for i, into := range []*map[string]any{&s.Header, &s.Claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, &check.NotApplicable{Reason: "the good token is not a JWT"}
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(into) != nil {
			return nil, &check.NotApplicable{Reason: "the good token is not a JWT"}
		}
	}
	return s, nil
}

// Text is a member that is a string, or "".
func Text(members map[string]any, name string) string {
	value, _ := members[name].(string)
	return value
}

// Profiled reports whether the issuer keeps to the profile of RFC 9068, which is stricter than JWT
// alone.
func (s *Specimen) Profiled() bool { return strings.EqualFold(Text(s.Header, "typ"), "at+jwt") }

// Ruled is the level of a rule that the profile of RFC 9068 makes, and nothing else.
func (s *Specimen) Ruled() check.Level {
	if s.Profiled() {
		return check.Must
	}
	return check.Policy
}

// RefusesForged is the Run of a check whose forgeries all have to be refused, after the control has
// shown that the token they are made of is good.
func RefusesForged(want []int, forgeries func(s *Specimen) []Forgery) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		s, err := Examine(trial.Token)
		if err != nil {
			return err
		}
		return DenyAll(ctx, p, trial, want, forgeries(s))
	}
}

// DenyAll tries every forgery. One that the check's own rule refuses and that has an effect ends
// it; of the others the gravest is reported.
func DenyAll(ctx context.Context, p *bench.Probe, trial *bench.Trial, want []int, forgeries []Forgery) error {
	if len(forgeries) == 0 {
		return &check.NotApplicable{Reason: "the good token has nothing to forge in this way"}
	}
	if slices.ContainsFunc(forgeries, func(f Forgery) bool { return f.minted() }) {
		if err := MintIsGood(ctx, p, trial); err != nil {
			return err
		}
	}
	var gravest *check.Mismatch
	for _, one := range forgeries {
		token, err := one.make(ctx, p, trial)
		if err != nil {
			return err
		}
		statuses := want
		if one.Want != nil {
			statuses = one.Want
		}
		request := trial.Request()
		if len(token) > longToken {
			_, err = trial.DeniedRaw(
				ctx,
				one.Name,
				request,
				p.Wire(request, "Authorization: Bearer "+token),
				statuses...,
			)
		} else {
			request.Header.Set("Authorization", "Bearer "+token)
			_, err = trial.Denied(ctx, one.Name, request, statuses...)
		}
		var mismatch *check.Mismatch
		if err != nil && !errors.As(err, &mismatch) {
			return err
		}
		if mismatch == nil {
			continue
		}
		mismatch.Level = one.Level
		if mismatch.Insecure && one.Level == "" {
			return mismatch
		}
		if gravest == nil || gravest.Level != "" && mismatch.Level == "" {
			gravest = mismatch
		}
	}
	if gravest == nil {
		return nil
	}
	return gravest
}

// longToken is in bytes. Servers may close the connection while they are sent more than they take
// in a header.
const longToken = 6 << 10

func (f *Forgery) make(ctx context.Context, p *bench.Probe, trial *bench.Trial) (token string, err error) {
	switch {
	case f.unedited():
		token = trial.Token
	case f.Edits.Key != nil || f.Edits.Algorithm == "none":
		good := func(context.Context) (string, error) { return trial.Token, nil }
		if token, err = bench.Remint(nil, good)(ctx, f.Edits); err != nil {
			return "", &check.CannotJudge{Reason: "the forgery cannot be made: " + f.Name, Err: err}
		}
	default:
		if token, err = p.Mint(ctx, f.Edits); err != nil {
			return "", err
		}
	}
	if f.Text != nil {
		token = f.Text(token)
	}
	return token, nil
}

// minted reports whether a forgery takes the issuer's key.
func (f *Forgery) minted() bool {
	return !f.unedited() && f.Edits.Key == nil && f.Edits.Algorithm != "none"
}

// MintIsGood shows that a minted token without a flaw is served. Of a mint with another key than
// the issuer's all would be refused.
func MintIsGood(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token, err := p.Mint(ctx, bench.Edits{})
	if err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err == nil && !answer.Succeeded() {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: a minted token without a flaw is answered %d", answer.Status),
		}
	}
	return err
}

func (f *Forgery) unedited() bool {
	e := &f.Edits
	return e.Algorithm == "" && e.Key == nil && e.Header == nil && e.Claims == nil && e.HeaderText == nil &&
		e.ClaimsText == nil && e.Encoded == nil && e.Signature == nil
}

// Fixed are forgeries that are the same whatever the good token looks like.
func Fixed(forgeries ...Forgery) func(*Specimen) []Forgery {
	return func(*Specimen) []Forgery { return forgeries }
}

// Member is an edit that sets a member of a header or of claims; with the value nothing it takes
// the member out.
func Member(name string, value any) func(map[string]any) {
	return func(members map[string]any) {
		if value == Nothing {
			delete(members, name)
			return
		}
		members[name] = value
	}
}

// Nothing stands for an absent member, as distinct from null.
var Nothing = new(struct{ byte })

// Replaced is an edit of JSON text, once.
func Replaced(before, after string) func([]byte) []byte {
	return func(text []byte) []byte { return bytes.Replace(text, []byte(before), []byte(after), 1) }
}

// Last puts members after all others of an object.
func Last(members string) func([]byte) []byte {
	return func(text []byte) []byte { return append(text[:len(text)-1:len(text)-1], []byte(","+members+"}")...) }
}

// Quoted is a value as JSON.
func Quoted(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own values, or a token's that came of JSON
	}
	return string(text)
}

func Encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func Decoded(part string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(part) }

// strangersRSA is an RSA key that no issuer has.
func strangersRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}

// StrangersKey is a key that no issuer has.
func StrangersKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}

// StrangersFor is a stranger's key for an algorithm.
func StrangersFor(algorithm string) crypto.Signer {
	curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
	if curve := curves[algorithm]; curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	if algorithm == "EdDSA" {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	return strangersRSA()
}

func Both(one, other func(map[string]any)) func(map[string]any) {
	return func(members map[string]any) {
		one(members)
		other(members)
	}
}
