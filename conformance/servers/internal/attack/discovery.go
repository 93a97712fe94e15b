package attack

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

const (
	// AttackerKeysURL is an address outside the issuer where the attacker publishes a key.
	AttackerKeysURL = "https://elsewhere.example/keys"
	// attackerKeyID is the ID of the attacker's key.
	attackerKeyID = "strange"
	// discoveryAge is longer than a server may use a discovery document before it fetches a new
	// one.
	discoveryAge = 25 * time.Hour
)

// Discovery is a fixture whose issuer serves true and false discovery documents.
type Discovery struct {
	*Fixture
	Fetches atomic.Int64 // of documents that ServeDocument serves

	mu      sync.Mutex
	outside []string // the addresses outside the issuer that the server has asked
}

// An Attacker has a key that the issuer's own documents never lead to. The key is made once,
// because RSA keys take a while.
type Attacker struct{ key crypto.Signer }

// TryDiscovery starts a fixture where only a false discovery document leads to the attacker's key:
// the issuer publishes it at an address with a query, and so does every other host. A server that
// uses a false document accepts tokens with that key.
func (a *Attacker) TryDiscovery(
	ctx context.Context, p *bench.Probe, run func(ctx context.Context, d *Discovery) error,
) error {
	f, err := NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer f.Close()
	switch {
	case f.ServeDiscovery == nil || f.Discovery == nil || f.ServeOthers == nil:
		return &check.NotApplicable{Reason: "the server reads no discovery document"}
	case f.Advance == nil:
		return &check.NotApplicable{Reason: "the fixture cannot advance its clock by a day"}
	}
	if a.key == nil {
		a.key = NewKeyFor(f.Algorithm)
	}
	d := &Discovery{Fixture: f}
	keys := append([]json.RawMessage{f.AddKey(attackerKeyID, a.key)}, f.IssuerKeys...)
	withAttackers := ServeJSON(JSON(map[string]any{"keys": keys}))
	own := ServeJSON(JSON(map[string]any{"keys": f.IssuerKeys}))
	f.ServeKeySet(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.RawQuery != "" {
			withAttackers(w, request)
			return
		}
		own(w, request)
	}))
	d.ServeOutside(withAttackers)
	return run(ctx, d)
}

// ServeOutside sets what every host except the issuer answers.
func (d *Discovery) ServeOutside(answer http.HandlerFunc) {
	d.ServeOthers(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		d.mu.Lock()
		d.outside = append(d.outside, request.URL.String())
		d.mu.Unlock()
		answer(w, request)
	}))
}

// OutsideRequest returns the first address outside the issuer that the server has asked, or "".
func (d *Discovery) OutsideRequest() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.outside) == 0 {
		return ""
	}
	return d.outside[0]
}

// Edited returns the issuer's document with changes.
func (d *Discovery) Edited(changes ...func(map[string]any)) string {
	document := map[string]any{}
	_ = json.Unmarshal(d.Discovery(), &document)
	for _, change := range changes {
		change(document)
	}
	return JSON(document)
}

// AttackedKeysURL returns the address at the issuer that has the attacker's key beside the
// issuer's.
func (d *Discovery) AttackedKeysURL() string {
	document := map[string]any{}
	_ = json.Unmarshal(d.Discovery(), &document)
	return Text(document, "jwks_uri") + "?more"
}

// ServeDocument makes the issuer serve a document, and counts the requests.
func (d *Discovery) ServeDocument(answer http.Handler) {
	d.ServeDiscovery(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		d.Fetches.Add(1)
		answer.ServeHTTP(w, request)
	}))
}

// SendSigned sends a token with the attacker's key.
func (d *Discovery) SendSigned(ctx context.Context) (*bench.Answer, error) {
	token, err := d.SignedBy(ctx, attackerKeyID)
	if err != nil {
		return nil, err
	}
	return d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
}

// ControlFollows shows that the server follows the document to the keys that it names.
func (d *Discovery) ControlFollows(ctx context.Context) error {
	d.ServeDocument(ServeJSON(d.Edited(Member("jwks_uri", d.AttackedKeysURL()))))
	answer, err := d.SendSigned(ctx)
	if err == nil && !answer.Succeeded() {
		return &check.NotApplicable{
			Reason: "the server does not take the address of its issuer's keys from the discovery document",
		}
	}
	return err
}

// WantDistrusted serves a false document when the server starts, then the issuer's own, and the
// false one again a day later.
func (d *Discovery) WantDistrusted(ctx context.Context, name string, falseDocument http.Handler) error {
	d.ServeDocument(falseDocument)
	if err := d.wantAttackerRefused(ctx, name+", at the start"); err != nil {
		return err
	}
	if d.Fetches.Load() == 0 {
		return &check.NotApplicable{Reason: "the server does not fetch the discovery document when it needs it"}
	}
	d.ServeDiscovery(nil)
	d.Advance(2 * time.Minute)
	if err := d.wantGoodServed(ctx, "a token after "+name+" was corrected"); err != nil {
		return err
	}
	d.ServeDocument(falseDocument)
	d.Advance(discoveryAge)
	if err := d.wantGoodServed(ctx, "a token with "+name+" in place of a good document"); err != nil {
		return err
	}
	return d.wantAttackerRefused(ctx, name+", a day later")
}

// wantAttackerRefused wants a token refused that only a false document makes good.
func (d *Discovery) wantAttackerRefused(ctx context.Context, name string) error {
	answer, err := d.SendSigned(ctx)
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2:
		return d.Probe.Insecure("a refusal of the attacker's key: "+name, fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusUnauthorized:
		return d.Probe.MismatchAt(check.Policy, "status 503 or 401: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// wantGoodServed wants a good token served.
func (d *Discovery) wantGoodServed(ctx context.Context, name string) error {
	token, err := d.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return d.Probe.MismatchAt(check.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
