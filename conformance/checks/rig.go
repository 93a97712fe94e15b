package checks

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"mcpentra/conformance/engine"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A rig is a server for one check: warm, so that it has the issuer's keys.
type rig struct {
	*engine.Rig
	probe     *engine.Probe
	trial     *engine.Trial
	algorithm string
	issuers   []json.RawMessage
	made      map[string]crypto.Signer
}

func rigged(run func(ctx context.Context, r *rig) error) func(ctx context.Context, p *engine.Probe) error {
	return func(ctx context.Context, p *engine.Probe) error {
		r, err := newRig(ctx, p)
		if err != nil {
			return err
		}
		defer r.Close()
		if r.trial, err = r.probe.Trial(ctx); err != nil {
			return err
		}
		return run(ctx, r)
	}
}

func newRig(ctx context.Context, p *engine.Probe) (*rig, error) {
	if _, err := p.Control(ctx); err != nil {
		return nil, err // of a server that is away nothing is said
	}
	started, probe, err := p.Rig(ctx)
	if err != nil {
		return nil, err
	}
	r := &rig{Rig: started, probe: probe, made: map[string]crypto.Signer{}}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	token, err := probe.Token(ctx, engine.Good)
	if err == nil {
		err = json.Unmarshal(started.Document(), &set)
	}
	if err != nil {
		started.Close()
		return nil, &engine.CannotJudge{Reason: "the rig has no keys", Err: err}
	}
	s, err := examine(token)
	if err != nil {
		started.Close()
		return nil, err
	}
	r.algorithm, r.issuers = text(s.header, "alg"), set.Keys
	return r, nil
}

// fresh makes a key of the issuer's kind, and returns it as it is published.
func (r *rig) fresh(id string) json.RawMessage { return r.use(id, strangersFor(r.algorithm)) }

// use gives a key an ID, and returns it as it is published.
func (r *rig) use(id string, key crypto.Signer, changes ...func(map[string]any)) json.RawMessage {
	r.made[id] = key
	return published(key.Public(), id, r.algorithm, changes...)
}

func published(key any, id, algorithm string, changes ...func(map[string]any)) json.RawMessage {
	members := map[string]any{}
	_ = json.Unmarshal([]byte(quoted(jose.JSONWebKey{Key: key, KeyID: id, Use: "sig", Algorithm: algorithm})), &members)
	for _, change := range changes {
		change(members)
	}
	return json.RawMessage(quoted(members))
}

// publish lets the issuer have keys before its own.
func (r *rig) publish(more ...json.RawMessage) { r.serve(append(more, r.issuers...)) }

func (r *rig) serve(keys []json.RawMessage) {
	document := quoted(map[string]any{"keys": keys})
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}))
}

// signed is a good token, but that one of the rig's keys has signed it.
func (r *rig) signed(ctx context.Context, id string) (string, error) {
	token, err := r.probe.Token(ctx, engine.Good)
	if err != nil {
		return "", err
	}
	algorithm := r.algorithm
	if _, isRSA := r.made[id].(*rsa.PrivateKey); isRSA && strings.HasPrefix(algorithm, "E") {
		algorithm = "RS256"
	}
	edits := engine.Edits{Algorithm: algorithm, Key: r.made[id], Header: both(member("kid", id), member("x5t", nothing))}
	token, err = engine.Remint(nil, func(context.Context) (string, error) { return token, nil })(ctx, edits)
	if err != nil {
		return "", &engine.CannotJudge{Reason: "no token can be made", Err: err}
	}
	return token, nil
}

// later lets time pass, and begins another session where the server keeps any: the old one may be over by then. Where
// nobody is served the old one does, since the token is looked at before it.
func (r *rig) later(ctx context.Context, by time.Duration) {
	r.Advance(by)
	token, err := r.probe.Token(ctx, engine.Good)
	if err != nil || r.trial.Session.ID == "" {
		return
	}
	if session, err := r.probe.Open(ctx, token); err == nil {
		r.trial.Session = session
	}
}

func (r *rig) send(ctx context.Context, token string) (*engine.Answer, engine.Request, error) {
	request := r.trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := r.probe.Send(ctx, request)
	return answer, request, err
}

// accepted wants a token of one of the keys to be served.
func (r *rig) accepted(ctx context.Context, name, id string) error {
	token, err := r.signed(ctx, id)
	if err != nil {
		return err
	}
	answer, _, err := r.send(ctx, token)
	if err == nil && !answer.Succeeded() {
		return r.probe.Mismatch("a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// denied wants a token of one of the keys to be refused.
func (r *rig) denied(ctx context.Context, name, id string, want ...int) error {
	token, err := r.signed(ctx, id)
	if err != nil {
		return err
	}
	request := r.trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	_, err = r.trial.Denied(ctx, name, request, want...)
	return err
}

// stillGood wants the issuer's own token to be served.
func (r *rig) stillGood(ctx context.Context, name string) error {
	token, err := r.probe.Token(ctx, engine.Good)
	if err != nil {
		return err
	}
	answer, _, err := r.send(ctx, token)
	if err == nil && !answer.Succeeded() {
		return r.probe.Lesser(engine.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
