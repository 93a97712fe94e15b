package checks

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// documentFetchChecks returns the checks of authorization-server/document: how the server fetches
// and caches documents.
func documentFetchChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.DocumentHost}
	revisions := since(check.R20251125)
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/unavailable",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: documentDraft + "section 4.3",
				Sentence:  "Without its document a client gets no code.",
				Covers:    []string{"as-cimd-fetch-failure-aborts"},
			},
			Needs: needs,
			Run:   documentUnavailable,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/errors-not-cached",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: documentDraft + "section 4.4",
				Sentence:  "An error in place of a document, or an invalid one, is not cached.",
				Covers:    []string{"as-cimd-errors-not-cached", "AS-086"},
			},
			Needs: append([]bench.Need{bench.Clock}, needs...),
			Run:   documentErrorsNotCached,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/caching",
				Level:     check.Policy,
				Revisions: revisions,
				Reference: documentDraft + "section 4.4; RFC 9111 section 5.2.2.5",
				Sentence:  "A document with no-store is fetched each time.",
				Covers:    []string{"as-cimd-caching", "AS-086"},
			},
			Needs: needs,
			Run:   documentCaching,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/private-network",
				Level:     check.Should,
				Severity:  check.Critical,
				Revisions: revisions,
				Reference: documentDraft +
					"section 6.5; MCP 2025-11-25 authorization, Authorization Server Abuse Protection",
				Sentence: "No document is fetched from a private address, also not by a redirect.",
				Covers:   []string{"as-cimd-ssrf", "AS-081", "AS-083"},
			},
			Needs: append([]bench.Need{bench.AllHosts}, needs...),
			Run:   documentPrivateNetwork,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/bounded",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: revisions,
				Reference: documentDraft + "section 6.6",
				Sentence:  "An endless document is refused.",
				Covers:    []string{"as-cimd-size-limit", "AS-084"},
			},
			Needs: needs,
			Run:   documentBounded,
		},
	}
}

// documentUnavailable tries authorization-server/document/unavailable.
func documentUnavailable(ctx context.Context, p *bench.Probe) error {
	status := func(code int) func(string) http.Handler {
		return func(url string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				_, _ = w.Write([]byte(bench.DocumentText(url, nil)))
			})
		}
	}
	dropped := func(string) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
	return refuseDocuments(ctx, p,
		documentVector{"status 404", status(http.StatusNotFound), ""},
		documentVector{"status 500", status(http.StatusInternalServerError), ""},
		documentVector{"a dropped connection", dropped, ""},
	)
}

// documentErrorsNotCached tries authorization-server/document/errors-not-cached.
func documentErrorsNotCached(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var isGood atomic.Bool
	document := p.NewDocument(func(url string) http.Handler {
		good := bench.ServeDocument(bench.DocumentText(url, nil))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=3600")
			if isGood.Load() {
				good.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusInternalServerError)
		})
	})
	client := document.Client(bench.SiteRedirect)
	if _, err := p.Authorize(ctx, client); err != nil {
		return err
	}
	isGood.Store(true)
	before := document.Fetches()
	for _, passed := range []time.Duration{time.Minute, 4 * time.Minute} {
		p.Target().Advance(passed)
		made, err := p.Authorize(ctx, client)
		if err != nil || made.Code() != "" {
			return err
		}
	}
	if document.Fetches() == before {
		return p.Mismatch("a new request for a document that failed", "none after five minutes")
	}
	return &check.CannotJudge{Reason: "the corrected document is fetched, and its client gets no code"}
}

// documentCaching tries authorization-server/document/caching.
func documentCaching(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	document := p.NewDocument(func(url string) http.Handler {
		good := bench.ServeDocument(bench.DocumentText(url, nil))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			good.ServeHTTP(w, r)
		})
	})
	fetches := 0
	for range 2 {
		if _, err := p.Approved(ctx, document.Client(bench.SiteRedirect)); err != nil {
			return err
		}
		if document.Fetches() == fetches {
			return p.Mismatch("a request for a document with no-store each time", fmt.Sprintf("%d requests", fetches))
		}
		fetches = document.Fetches()
	}
	return nil
}

// privateHosts are hosts that no document may be fetched from.
var privateHosts = []string{
	"127.0.0.1", "127.0.0.1:8443", "[::1]", "localhost", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254",
	"100.64.0.1", "0.0.0.0", "[fc00::1]", "[fe80::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "2130706433", "0x7f.1",
}

// documentPrivateNetwork tries authorization-server/document/private-network. A good document was
// fetched before.
func documentPrivateNetwork(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, host := range privateHosts {
		address := "https://" + host + "/mcp-auth-conformance-client.json"
		if _, err := p.Authorize(ctx, &bench.Client{ID: address, RedirectURI: bench.SiteRedirect}); err != nil {
			return err
		}
		if p.Reached(address) {
			found = append(found, p.Insecure("no request to "+host, "a request"))
		}
	}
	const target = "https://10.0.0.1/mcp-auth-conformance-redirect.json"
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		document := p.NewDocument(func(string) http.Handler { return http.RedirectHandler(target, status) })
		if _, err := p.Authorize(ctx, document.Client(bench.SiteRedirect)); err != nil {
			return err
		}
		if p.Reached(target) {
			return p.Insecure(fmt.Sprintf("no request to 10.0.0.1 after a redirect with %d", status), "a request")
		}
	}
	return bench.All(found...)
}

// endless is how many bytes an endless document has.
const endless = 20 << 20

// documentBounded tries authorization-server/document/bounded.
func documentBounded(ctx context.Context, p *bench.Probe) error {
	return refuseDocuments(ctx, p, documentVector{"20 MB", func(url string) http.Handler {
		good := bench.DocumentText(url, nil)
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(good[:len(good)-1] + `,"x":"`))
			block := []byte(strings.Repeat("x", 64<<10))
			for range endless / len(block) {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
			_, _ = w.Write([]byte(`"}`))
		})
	}, ""})
}
