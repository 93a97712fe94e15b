package bench

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
)

// A Fixture is a server that is started for one check, with an issuer whose key set and discovery
// document are in the check's hands. What a check does to them would be felt by all others, and
// what a server has fetched once it may not fetch again for minutes.
type Fixture struct {
	// Target is the server. Its tokens are the issuer's.
	Target Target
	// KeySet is the key set that the issuer publishes of itself (RFC 7517 section 5).
	KeySet func() []byte
	// ServeKeySet answers the server's requests for the key set from now on. Nil means the issuer's own
	// document.
	ServeKeySet func(http.Handler)
	// KeySetFetches is how often the key set has been asked for.
	KeySetFetches func() int
	// Discovery is the discovery document that the issuer publishes of itself (OpenID Connect
	// Discovery 1.0 section 3), and ServeDiscovery answers the server's requests for it from now on; nil
	// means the issuer's own document. Both are nil where the server reads none.
	Discovery      func() []byte
	ServeDiscovery func(http.Handler)
	// ServeOthers answers from now on whatever the server asks of others than its issuer, by
	// whichever scheme. The handler finds the address in the request's URL. It goes with ServeDiscovery.
	ServeOthers func(http.Handler)
	// Advance lets time pass for the server and its issuer. Nil means that it cannot be done.
	Advance func(time.Duration)
	// Close ends both.
	Close func()
}

// Fixture starts a fixture, and makes a probe for its server. Reports of either probe mask the
// credentials of both. The caller closes the fixture. An error means that the check cannot be done.
func (p *Probe) Fixture(ctx context.Context) (*Fixture, *Probe, error) {
	if p.target.Fixture == nil {
		return nil, nil, &check.CannotJudge{Reason: "no server can be started with an issuer's keys in hand"}
	}
	fixture, err := p.target.Fixture(ctx)
	if err != nil {
		return nil, nil, &check.CannotJudge{Reason: "no server can be started", Err: err}
	}
	on := newProbe(fixture.Target, p.Revision)
	on.secrets = p.secrets // the check may report of either
	return fixture, on, nil
}

// WithRevision returns a clone that speaks another revision.
func (p *Probe) WithRevision(revision check.Revision) *Probe {
	other := p.Clone()
	other.Revision = revision
	return other
}

// WithOwnConnections returns a clone with its own connections, and a func that closes them. A
// target whose client does not use net/http's transport shares its connections.
func (p *Probe) WithOwnConnections() (probe *Probe, closeIt func()) {
	other := p.Clone()
	shared, ok := p.client.Transport.(*http.Transport)
	if !ok {
		return other, func() {}
	}
	client, transport := *p.client, shared.Clone()
	client.Transport = transport
	other.client = &client
	return other, transport.CloseIdleConnections
}
