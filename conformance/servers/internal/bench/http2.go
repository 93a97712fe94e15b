package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/loopback"
)

// HTTP2 returns a clone that speaks only HTTP/2, and a func that closes its connections. An https
// URL uses ALPN, and an http URL prior knowledge (RFC 9113 sections 3.2 and 3.3). A target that
// does not speak HTTP/2 gives a *check.NotApplicable.
func (p *Probe) HTTP2(ctx context.Context) (probe *Probe, closeIt func(), err error) {
	transport := &http.Transport{
		DialContext:            loopback.Dial,
		MaxResponseHeaderBytes: exchange.MaxHeader,
		Protocols:              &http.Protocols{},
		TLSClientConfig:        p.tlsConfig(nil),
	}
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := *p.client
	client.Transport = transport
	clone := p.Clone()
	clone.client = &client
	if _, err := clone.Send(ctx, Request{}); err != nil {
		transport.CloseIdleConnections()
		if ended := ctx.Err(); ended != nil {
			return nil, nil, &check.CannotJudge{Reason: "the run was cancelled", Err: ended}
		}
		return nil, nil, &check.NotApplicable{Reason: fmt.Sprintf("the server does not speak HTTP/2 (%v)", err)}
	}
	return clone, transport.CloseIdleConnections, nil
}

// tlsConfig returns the TLS configuration of the target's client with other protocols.
func (p *Probe) tlsConfig(protocols []string) *tls.Config {
	config := &tls.Config{}
	if own, ok := p.client.Transport.(*http.Transport); ok && own.TLSClientConfig != nil {
		config = own.TLSClientConfig.Clone()
	}
	config.NextProtos = protocols
	return config
}
