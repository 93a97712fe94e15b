package checks

import (
	"context"
	"net/http"
	"slices"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// cacheChecks are checks of client/cache.
func cacheChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/cache/private",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 caching, cacheScope",
				Sentence:  "A result with cacheScope private is not used for another user.",
				Covers:    []string{"client-private-cache-not-shared"},
			},
			Abilities: []bench.Ability{bench.KeepsState, bench.Accounts},
			Needs:     []bench.Need{bench.Listing},
			Run:       cachePrivate,
		},
	}
}

// cachePrivate tries client/cache/private.
func cachePrivate(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, ListTTL: time.Hour})
	defer l.Close()
	l.Run(ctx, p, withAccount("one"))
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	signIns := len(l.Authorizations(l.Authority()))
	n := len(l.Endpoint())
	l.Run(ctx, p, withAccount("two"))
	if len(l.Authorizations(l.Authority())) == signIns {
		return &check.NotApplicable{Reason: "the client does not sign in with the second account"}
	}
	isList := func(r lab.Request) bool { return r.RPC == "tools/list" && r.Status == http.StatusOK }
	if !slices.ContainsFunc(l.Endpoint()[n:], isList) {
		return l.Insecure("a list of tools for the second account", "the cached list of the first account")
	}
	return nil
}
