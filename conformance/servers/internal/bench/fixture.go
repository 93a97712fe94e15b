package bench

import (
	"context"
	"net/http"
	"time"

	"mcpentra/conformance/check"
)

// A Fixture is a server that is started for one check. The check controls its issuer's key set and
// discovery document. On a shared server every other check would notice, and the server might not
// fetch a document again for minutes.
type Fixture struct {
	// Target is the server. The issuer makes its tokens.
	Target Target
	// KeySet returns the key set that the issuer publishes by itself (RFC 7517 section 5).
	KeySet func() []byte
	// ServeKeySet sets the handler of requests for the key set. Nil restores the issuer's own.
	ServeKeySet func(http.Handler)
	// KeySetFetches returns how often the key set was requested.
	KeySetFetches func() int
	// Discovery returns the discovery document that the issuer publishes by itself (OpenID Connect
	// Discovery 1.0 section 3). Nil means that the server reads none.
	Discovery func() []byte
	// ServeDiscovery sets the handler of requests for the discovery document. Passing nil restores
	// the issuer's own. The field is nil if Discovery is.
	ServeDiscovery func(http.Handler)
	// ServeOthers sets the handler of all requests of the server to hosts except its issuer, with
	// any scheme. The address is in the request's URL. The field is nil if Discovery is.
	ServeOthers func(http.Handler)
	// Advance advances the clock of the server and its issuer. Nil means that their clock is fixed.
	Advance func(time.Duration)
	// Close stops the server and its issuer.
	Close func()
}

// Fixture starts a fixture, and makes a probe for its server. Reports of either probe mask the
// credentials of both. The caller closes the fixture. An error means that the check cannot be done.
func (p *Probe) Fixture(ctx context.Context) (*Fixture, *Probe, error) {
	if p.target.Fixture == nil {
		return nil, nil, &check.CannotJudge{Reason: "the target starts no fixture"}
	}
	fixture, err := p.target.Fixture(ctx)
	if err != nil {
		return nil, nil, &check.CannotJudge{Reason: "the fixture does not start", Err: err}
	}
	on := newProbe(fixture.Target, p.Revision)
	on.secrets = p.secrets
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
	clone := p.Clone()
	shared, ok := p.client.Transport.(*http.Transport)
	if !ok {
		return clone, func() {}
	}
	transport := shared.Clone()
	client := *p.client
	client.Transport = transport
	clone.client = &client
	return clone, transport.CloseIdleConnections
}
