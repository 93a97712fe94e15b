package attack

import (
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A Fixture is a server that is started for one check, whose issuer publishes the keys that the
// check chooses.
type Fixture struct {
	*bench.Fixture
	Probe      *bench.Probe
	Trial      *bench.Trial             // nil unless the check uses WithFixture
	Algorithm  string                   // of the issuer's tokens
	IssuerKeys []json.RawMessage        // as the issuer publishes them
	Keys       map[string]crypto.Signer // the check's own, by ID
}

// WithFixture makes the Run of a check that needs a fixture. The fixture has served a good token,
// so it has the issuer's keys in its cache.
func WithFixture(run func(ctx context.Context, f *Fixture) error) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		f, err := NewFixture(ctx, p)
		if err != nil {
			return err
		}
		defer f.Close()
		f.Trial, err = f.Probe.Trial(ctx)
		if err != nil {
			return err
		}
		return run(ctx, f)
	}
}

// NewFixture starts a fixture to which no request has been sent. The caller closes it.
func NewFixture(ctx context.Context, p *bench.Probe) (*Fixture, error) {
	if _, err := p.Control(ctx); err != nil {
		return nil, err // an unreachable target is an error, not a verdict
	}
	started, probe, err := p.Fixture(ctx)
	if err != nil {
		return nil, err
	}
	f := &Fixture{Fixture: started, Probe: probe, Keys: map[string]crypto.Signer{}}
	if err := f.readIssuer(ctx); err != nil {
		started.Close()
		return nil, err
	}
	return f, nil
}

// readIssuer reads the issuer's keys and algorithm.
func (f *Fixture) readIssuer(ctx context.Context) error {
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(f.KeySet(), &set); err != nil {
		return &check.CannotJudge{Reason: "the fixture's issuer publishes no key set", Err: err}
	}
	jwt, err := ParseJWT(token)
	if err != nil {
		return err
	}
	f.Algorithm = Text(jwt.Header, "alg")
	f.IssuerKeys = set.Keys
	return nil
}

// NewKey makes a key like the issuer's, and returns its JWK.
func (f *Fixture) NewKey(id string) json.RawMessage { return f.AddKey(id, NewKeyFor(f.Algorithm)) }

// AddKey gives a key an ID, and returns its JWK with changes.
func (f *Fixture) AddKey(id string, key crypto.Signer, changes ...func(map[string]any)) json.RawMessage {
	f.Keys[id] = key
	return PublishedJWK(key.Public(), id, f.Algorithm, changes...)
}

// PublishedJWK returns the JWK of a public key with changes.
func PublishedJWK(key any, id, algorithm string, changes ...func(map[string]any)) json.RawMessage {
	members := map[string]any{}
	_ = json.Unmarshal([]byte(JSON(jose.JSONWebKey{Key: key, KeyID: id, Use: "sig", Algorithm: algorithm})), &members)
	for _, change := range changes {
		change(members)
	}
	return json.RawMessage(JSON(members))
}

// Publish makes the issuer publish keys before its own.
func (f *Fixture) Publish(keys ...json.RawMessage) { f.PublishOnly(append(keys, f.IssuerKeys...)...) }

// PublishOnly makes the issuer publish keys in place of its own.
func (f *Fixture) PublishOnly(keys ...json.RawMessage) {
	f.ServeKeySet(ServeJSON(JSON(map[string]any{"keys": keys})))
}

// SignedBy returns a token like a good one that a key of the check has signed.
func (f *Fixture) SignedBy(ctx context.Context, id string) (string, error) {
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil {
		return "", err
	}
	algorithm := f.Algorithm
	if _, isRSA := f.Keys[id].(*rsa.PrivateKey); isRSA && strings.HasPrefix(algorithm, "E") {
		algorithm = "RS256"
	}
	edits := bench.Edits{
		Algorithm: algorithm,
		Key:       f.Keys[id],
		Header:    Both(Member("kid", id), Member("x5t", Absent)),
	}
	signed, err := bench.Remint(nil, func(context.Context) (string, error) { return token, nil })(ctx, edits)
	if err != nil {
		return "", &check.CannotJudge{Reason: "no token can be made", Err: err}
	}
	return signed, nil
}

// Wait advances the clock, and opens a new session if the server keeps sessions, because the old
// one may have expired. If that fails, the old session stays: the server checks the token before
// it.
func (f *Fixture) Wait(ctx context.Context, by time.Duration) {
	f.Advance(by)
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil || f.Trial.Session.ID == "" {
		return
	}
	if session, err := f.Probe.Open(ctx, token); err == nil {
		f.Trial.Session = session
	}
}

// WantServed wants a token that a key of the check has signed to be served.
func (f *Fixture) WantServed(ctx context.Context, name, id string) error {
	token, err := f.SignedBy(ctx, id)
	if err != nil {
		return err
	}
	answer, err := f.Probe.Send(ctx, WithToken(token, f.Trial.Request()))
	if err == nil && !answer.Succeeded() {
		return f.Probe.Mismatch("a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// WantRefused wants a token that a key of the check has signed to be refused. That the refusal is
// not another status 5xx than 503 is a policy.
func (f *Fixture) WantRefused(ctx context.Context, name, id string, want ...int) error {
	token, err := f.SignedBy(ctx, id)
	if err != nil {
		return err
	}
	answer, err := f.Trial.WantRefused(ctx, name, WithToken(token, f.Trial.Request()), want...)
	if answer != nil && answer.Status/100 == 5 {
		return WithoutEffect(err, check.Policy) // a key is missing, so it may be the server's or its issuer's error
	}
	return err
}

// WantGoodServed wants the issuer's own token to be served.
func (f *Fixture) WantGoodServed(ctx context.Context, name string) error {
	token, err := f.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := f.Probe.Send(ctx, WithToken(token, f.Trial.Request()))
	if err == nil && !answer.Succeeded() {
		return f.Probe.MismatchAt(check.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// An Outage is one way in which a document of the issuer is unavailable.
type Outage struct {
	Name  string
	Serve http.HandlerFunc
}

// Outages returns the ways in which the issuer's documents can be unavailable.
func Outages() []Outage {
	return []Outage{
		{"500", serveText(500, "text/plain", "broken")},
		{"404", serveText(404, "text/plain", "gone")},
		{"a page", serveText(200, "text/html", "<html><body>Sign in</body></html>")},
		{"an empty object", serveText(200, "application/json", "{}")},
		{"no keys", serveText(200, "application/json", `{"keys":[]}`)},
		{"null", serveText(200, "application/json", "null")},
		{"cut in the middle", serveHalf},
		{"far too long", serveEndless},
		{"compressed, and far too long", serveCompressed},
		{"a closed connection", closeConnection},
	}
}

// ServeJSON returns a handler that answers with a document.
func ServeJSON(document string) http.HandlerFunc {
	return serveText(http.StatusOK, "application/json", document)
}

func serveText(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// serveHalf answers with less than its Content-Length announces.
func serveHalf(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"keys":[{`))
}

// serveEndless answers with 32 MiB.
func serveEndless(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`{"keys":["`))
	for range 512 {
		if _, err := w.Write([]byte(strings.Repeat("x", 64<<10))); err != nil {
			return
		}
	}
}

// serveCompressed answers with a few bytes that decompress to 32 MiB.
func serveCompressed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
	defer compressed.Close()
	_, _ = compressed.Write([]byte(`{"keys":["`))
	for range 512 {
		if _, err := compressed.Write([]byte(strings.Repeat("x", 64<<10))); err != nil {
			return
		}
	}
}

// closeConnection closes the connection without an answer, if it can.
func closeConnection(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = connection.Close()
}
