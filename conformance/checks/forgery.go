package checks

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// A forgery is a token that must not be believed: a good one, changed in one thing.
type forgery struct {
	name string
	// edits are made before the token is signed. With a key of its own, or with the algorithm none, it is made without the issuer's.
	edits engine.Edits
	// text changes the signed token.
	text func(token string) string
	// want are the statuses that conform, where they are others than the check's.
	want []int
	// level is that of the rule that this forgery is refused by, where it is another than the check's.
	level engine.Level
}

// A specimen is a good token, taken apart.
type specimen struct {
	token          string
	header, claims map[string]any
	// keys are those that the issuer publishes, as far as they are found; the first is the one that signed the specimen.
	keys []publishedKey
}

// examine takes a good token apart. A token that is no JWT is for its issuer alone to judge, and none of the forgeries can be made of it.
func examine(token string) (*specimen, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, &engine.NotApplicable{Reason: "the good token is not a JWT"}
	}
	s := &specimen{token: token}
	for i, into := range []*map[string]any{&s.header, &s.claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, &engine.NotApplicable{Reason: "the good token is not a JWT"}
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(into) != nil {
			return nil, &engine.NotApplicable{Reason: "the good token is not a JWT"}
		}
	}
	return s, nil
}

// text is a member that is a string, or "".
func text(members map[string]any, name string) string {
	value, _ := members[name].(string)
	return value
}

// profiled reports whether the issuer keeps to the profile of RFC 9068, which is stricter than JWT alone.
func (s *specimen) profiled() bool { return strings.EqualFold(text(s.header, "typ"), "at+jwt") }

// ruled is the level of a rule that the profile of RFC 9068 makes, and nothing else.
func (s *specimen) ruled() engine.Level {
	if s.profiled() {
		return engine.Must
	}
	return engine.Policy
}

// forged is the Run of a check whose forgeries all have to be refused, after the control has shown that the token they are made of is good.
func forged(want []int, forgeries func(s *specimen) []forgery) func(ctx context.Context, p *engine.Probe) error {
	return func(ctx context.Context, p *engine.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		s, err := examine(trial.Token)
		if err != nil {
			return err
		}
		return denyAll(ctx, p, trial, want, forgeries(s))
	}
}

// denyAll tries every forgery. One that the check's own rule refuses and that has an effect ends it; of the others the gravest is reported.
func denyAll(ctx context.Context, p *engine.Probe, trial *engine.Trial, want []int, forgeries []forgery) error {
	if len(forgeries) == 0 {
		return &engine.NotApplicable{Reason: "the good token has nothing to forge in this way"}
	}
	if slices.ContainsFunc(forgeries, func(f forgery) bool { return f.minted() }) {
		if err := mintIsGood(ctx, p, trial); err != nil {
			return err
		}
	}
	var gravest *engine.Mismatch
	for _, one := range forgeries {
		token, err := one.make(ctx, p, trial)
		if err != nil {
			return err
		}
		statuses := want
		if one.want != nil {
			statuses = one.want
		}
		request := trial.Request()
		if len(token) > longToken {
			_, err = trial.DeniedRaw(ctx, one.name, request, p.Wire(request, "Authorization: Bearer "+token), statuses...)
		} else {
			request.Header.Set("Authorization", "Bearer "+token)
			_, err = trial.Denied(ctx, one.name, request, statuses...)
		}
		var mismatch *engine.Mismatch
		if err != nil && !errors.As(err, &mismatch) {
			return err
		}
		if mismatch == nil {
			continue
		}
		mismatch.Level = one.level
		if mismatch.Insecure && one.level == "" {
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

// longToken is in bytes. Servers may close the connection while they are sent more than they take in a header.
const longToken = 6 << 10

func (f *forgery) make(ctx context.Context, p *engine.Probe, trial *engine.Trial) (token string, err error) {
	switch {
	case f.unedited():
		token = trial.Token
	case f.edits.Key != nil || f.edits.Algorithm == "none":
		good := func(context.Context) (string, error) { return trial.Token, nil }
		if token, err = engine.Remint(nil, good)(ctx, f.edits); err != nil {
			return "", &engine.CannotJudge{Reason: "the forgery cannot be made: " + f.name, Err: err}
		}
	default:
		if token, err = p.Mint(ctx, f.edits); err != nil {
			return "", err
		}
	}
	if f.text != nil {
		token = f.text(token)
	}
	return token, nil
}

// minted reports whether a forgery takes the issuer's key.
func (f *forgery) minted() bool {
	return !f.unedited() && f.edits.Key == nil && f.edits.Algorithm != "none"
}

// mintIsGood shows that a minted token without a flaw is served. Of a mint with another key than the issuer's all would be refused.
func mintIsGood(ctx context.Context, p *engine.Probe, trial *engine.Trial) error {
	token, err := p.Mint(ctx, engine.Edits{})
	if err != nil {
		return err
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := p.Send(ctx, request)
	if err == nil && !answer.Succeeded() {
		return &engine.CannotJudge{Reason: fmt.Sprintf("the control failed: a minted token without a flaw is answered %d", answer.Status)}
	}
	return err
}

func (f *forgery) unedited() bool {
	e := &f.edits
	return e.Algorithm == "" && e.Key == nil && e.Header == nil && e.Claims == nil && e.HeaderText == nil && e.ClaimsText == nil && e.Encoded == nil && e.Signature == nil
}

// fixed are forgeries that are the same whatever the good token looks like.
func fixed(forgeries ...forgery) func(*specimen) []forgery {
	return func(*specimen) []forgery { return forgeries }
}

// member is an edit that sets a member of a header or of claims; with the value nothing it takes the member out.
func member(name string, value any) func(map[string]any) {
	return func(members map[string]any) {
		if value == nothing {
			delete(members, name)
			return
		}
		members[name] = value
	}
}

// nothing stands for an absent member, as distinct from null.
var nothing = new(struct{ byte })

// replaced is an edit of JSON text, once.
func replaced(before, after string) func([]byte) []byte {
	return func(text []byte) []byte { return bytes.Replace(text, []byte(before), []byte(after), 1) }
}

// last puts members after all others of an object.
func last(members string) func([]byte) []byte {
	return func(text []byte) []byte { return append(text[:len(text)-1:len(text)-1], []byte(","+members+"}")...) }
}

// quoted is a value as JSON.
func quoted(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own values, or a token's that came of JSON
	}
	return string(text)
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decoded(part string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(part) }

// strangersRSA is an RSA key that no issuer has.
func strangersRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}

// strangersKey is a key that no issuer has.
func strangersKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the reader of random numbers does not fail
	}
	return key
}
