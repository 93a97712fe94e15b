package checks

import (
	"context"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// proxyChecks are checks of client/proxy.
func proxyChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/proxy/loopback",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 8252 section 8.3",
				Sentence:  "Requests to loopback do not go through a proxy.",
				Covers:    []string{"CL-055"},
			},
			Abilities: []bench.Ability{bench.UsesProxy},
			Run:       proxyLoopback,
		},
	}
}

// proxyLoopback tries client/proxy/loopback.
func proxyLoopback(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := runWithProxy(ctx, p, lab.Script{})
	if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Proxy }) {
		return l.Mismatch("nothing at the proxy", "requests for loopback addresses")
	}
	return nil
}
