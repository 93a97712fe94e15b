package attack

import (
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

// Undecided are the answers to a token whose key cannot be had now.
var Undecided = []int{http.StatusServiceUnavailable, http.StatusUnauthorized}

// A Fixture is a server for one check: warm, so that it has the issuer's keys.
type Fixture struct {
	*bench.Fixture
	Probe     *bench.Probe
	Trial     *bench.Trial
	Algorithm string
	Issuers   []json.RawMessage
	Made      map[string]crypto.Signer
}

func WithFixture(run func(ctx context.Context, r *Fixture) error) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		r, err := NewFixture(ctx, p)
		if err != nil {
			return err
		}
		defer r.Close()
		if r.Trial, err = r.Probe.Trial(ctx); err != nil {
			return err
		}
		return run(ctx, r)
	}
}

func NewFixture(ctx context.Context, p *bench.Probe) (*Fixture, error) {
	if _, err := p.Control(ctx); err != nil {
		return nil, err // of a server that is away nothing is said
	}
	started, probe, err := p.Fixture(ctx)
	if err != nil {
		return nil, err
	}
	r := &Fixture{Fixture: started, Probe: probe, Made: map[string]crypto.Signer{}}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	token, err := probe.Token(ctx, bench.Good)
	if err == nil {
		err = json.Unmarshal(started.Document(), &set)
	}
	if err != nil {
		started.Close()
		return nil, &check.CannotJudge{Reason: "the rig has no keys", Err: err}
	}
	s, err := Examine(token)
	if err != nil {
		started.Close()
		return nil, err
	}
	r.Algorithm = Text(s.Header, "alg")
	r.Issuers = set.Keys
	return r, nil
}

// Fresh makes a key of the issuer's kind, and returns it as it is published.
func (r *Fixture) Fresh(id string) json.RawMessage { return r.Use(id, StrangersFor(r.Algorithm)) }

// Use gives a key an ID, and returns it as it is published.
func (r *Fixture) Use(id string, key crypto.Signer, changes ...func(map[string]any)) json.RawMessage {
	r.Made[id] = key
	return Published(key.Public(), id, r.Algorithm, changes...)
}

func Published(key any, id, algorithm string, changes ...func(map[string]any)) json.RawMessage {
	members := map[string]any{}
	_ = json.Unmarshal([]byte(Quoted(jose.JSONWebKey{Key: key, KeyID: id, Use: "sig", Algorithm: algorithm})), &members)
	for _, change := range changes {
		change(members)
	}
	return json.RawMessage(Quoted(members))
}

// Publish lets the issuer have keys before its own.
func (r *Fixture) Publish(more ...json.RawMessage) { r.ServeKeys(append(more, r.Issuers...)) }

func (r *Fixture) ServeKeys(keys []json.RawMessage) {
	document := Quoted(map[string]any{"keys": keys})
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}))
}

// Signed is a good token, but that one of the fixture's keys has signed it.
func (r *Fixture) Signed(ctx context.Context, id string) (string, error) {
	token, err := r.Probe.Token(ctx, bench.Good)
	if err != nil {
		return "", err
	}
	algorithm := r.Algorithm
	if _, isRSA := r.Made[id].(*rsa.PrivateKey); isRSA && strings.HasPrefix(algorithm, "E") {
		algorithm = "RS256"
	}
	edits := bench.Edits{Algorithm: algorithm, Key: r.Made[id], Header: Both(Member("kid", id), Member("x5t", Nothing))}
	token, err = bench.Remint(nil, func(context.Context) (string, error) { return token, nil })(ctx, edits)
	if err != nil {
		return "", &check.CannotJudge{Reason: "no token can be made", Err: err}
	}
	return token, nil
}

// Later lets time pass, and begins another session where the server keeps any: the old one may be
// over by then. Where nobody is served the old one does, since the token is looked at before it.
func (r *Fixture) Later(ctx context.Context, by time.Duration) {
	r.Advance(by)
	token, err := r.Probe.Token(ctx, bench.Good)
	if err != nil || r.Trial.Session.ID == "" {
		return
	}
	if session, err := r.Probe.Open(ctx, token); err == nil {
		r.Trial.Session = session
	}
}

func (r *Fixture) send(ctx context.Context, token string) (*bench.Answer, bench.Request, error) {
	request := r.Trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := r.Probe.Send(ctx, request)
	return answer, request, err
}

// Accepted wants a token of one of the keys to be served.
func (r *Fixture) Accepted(ctx context.Context, name, id string) error {
	token, err := r.Signed(ctx, id)
	if err != nil {
		return err
	}
	answer, _, err := r.send(ctx, token)
	if err == nil && !answer.Succeeded() {
		return r.Probe.Mismatch("a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// Refuses wants a token of one of the keys to be refused.
func (r *Fixture) Refuses(ctx context.Context, name, id string, want ...int) error {
	token, err := r.Signed(ctx, id)
	if err != nil {
		return err
	}
	request := r.Trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	_, err = r.Trial.Denied(ctx, name, request, want...)
	return err
}

// StillGood wants the issuer's own token to be served.
func (r *Fixture) StillGood(ctx context.Context, name string) error {
	token, err := r.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, _, err := r.send(ctx, token)
	if err == nil && !answer.Succeeded() {
		return r.Probe.MismatchAt(check.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
