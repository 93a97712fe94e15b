package checks

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// tlsChecks are checks of client/tls.
func tlsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/tls/verified",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: []check.Revision{check.R20250618, check.R20251125},
				Reference: "MCP authorization, Communication Security; RFC 9525",
				Sentence:  "The client verifies the certificates of the MCP server and of the authorization server.",
				Covers:    []string{"client-tls-verified", "client-token-over-tls", "CL-054"},
			},
			Abilities: []bench.Ability{bench.TrustsCA},
			Run:       tlsVerified,
		},
		{
			Rule: check.Rule{
				ID:        "client/tls/version",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: []check.Revision{check.R20250618, check.R20251125},
				Reference: "RFC 8996; RFC 9325 section 3.1.1",
				Sentence:  "The client sends no request to a server that supports TLS 1.1 at most.",
				Covers:    []string{"CL-054"},
			},
			Abilities: []bench.Ability{bench.TrustsCA},
			Run:       tlsVersion,
		},
	}
}

// tlsVersion tries client/tls/version.
func tlsVersion(ctx context.Context, p *bench.Probe) error {
	return tlsRefused(ctx, p, "a server that supports TLS 1.1 at most", lab.OldTLS)
}

// tlsVerified tries client/tls/verified.
func tlsVerified(ctx context.Context, p *bench.Probe) error {
	return tlsRefused(ctx, p, "a server with a bad certificate", lab.SelfSigned, lab.OutOfDate, lab.OtherName)
}

// tlsRefused wants no request to an MCP server or an authorization server with one of the flaws.
func tlsRefused(ctx context.Context, p *bench.Probe, what string, flaws ...lab.Flaw) error {
	l, err := runWithTLS(ctx, p, nil)
	if err != nil {
		return err
	}
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	for _, party := range []lab.Party{lab.Server, lab.Issuer} {
		for _, flaw := range flaws {
			l, err := runWithTLS(ctx, p, map[lab.Party]lab.Flaw{party: flaw})
			if err != nil {
				return err
			}
			if l.Saw(func(r *lab.Request) bool { return r.Party == party }) {
				return l.Insecure(fmt.Sprintf("no request to %s: %s, the %s", what, flaw, party), "one")
			}
		}
	}
	return nil
}

// runWithTLS runs the client in a lab with TLS, whose certificate authority it trusts.
func runWithTLS(ctx context.Context, p *bench.Probe, flaws map[lab.Party]lab.Flaw) (*lab.Lab, error) {
	l := lab.New(lab.Script{Revision: p.Revision, TLS: true, Flaws: flaws})
	defer l.Close()
	name, err := l.WriteCA(p.State)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the certificate authority cannot be written", Err: err}
	}
	l.Run(ctx, p, func(task *bench.Task) { task.CAFile = name })
	return l, nil
}
