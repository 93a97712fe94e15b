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

// documentChecks returns the checks of authorization-server/document: client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document-00, which MCP 2025-11-25 names).
func documentChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted, bench.DocumentHost}
	revisions := since(check.R20251125)
	const draft = "draft-ietf-oauth-client-id-metadata-document-00 "
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/supported",
				Level:     check.Should,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents",
				Sentence:  "A client whose ID is the URL of its metadata document gets a code.",
				Covers:    []string{"as-cimd-supported"},
			},
			Needs: needs,
			Run:   documentSupported,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/advertised",
				Level:     check.Should,
				Revisions: revisions,
				Reference: draft + "section 5",
				Sentence:  "A server with client documents has client_id_metadata_document_supported in its metadata.",
				Covers:    []string{"as-metadata-cimd-flag", "AS-064"},
			},
			Needs: needs,
			Run:   documentAdvertised,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/fetched",
				Level:     check.Should,
				Revisions: revisions,
				Reference: draft + "section 4",
				Sentence:  "The document is fetched before an unknown client gets a code.",
				Covers:    []string{"as-cimd-fetches"},
			},
			Needs: needs,
			Run:   documentFetched,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/client-id",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: revisions,
				Reference: draft + "section 4.1",
				Sentence:  "A document whose client_id differs from its URL is refused.",
				Covers:    []string{"as-cimd-id-match", "AS-085"},
			},
			Needs: needs,
			Run:   documentClientID,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/valid",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: draft + "section 4.1",
				Sentence:  "A document that is not a JSON object, or lacks required members, is refused.",
				Covers:    []string{"as-cimd-document-valid", "AS-084"},
			},
			Needs: needs,
			Run:   documentValid,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/redirect",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: revisions,
				Reference: draft + "section 4.5",
				Sentence:  "A redirect URI that is not in the document is refused, without a redirect to it.",
				Covers:    []string{"as-cimd-redirect-checked", "AS-085"},
			},
			Needs: needs,
			Run:   documentRedirect,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/url",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: revisions,
				Reference: draft + "section 3",
				Sentence:  "A client ID is https with a path, and has no fragment, user name or dot segments.",
				Covers:    []string{"as-cimd-url-rules", "AS-080"},
			},
			Needs: needs,
			Run:   documentURL,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/no-secret",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: draft + "section 4.1",
				Sentence:  "A secret in a document authenticates no client.",
				Covers:    []string{"as-cimd-no-shared-secret", "AS-085"},
			},
			Needs: needs,
			Run:   documentNoSecret,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/private-key",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: revisions,
				Reference: draft + "section 6.2; OAuth 2.1 draft-13 section 3.2.2",
				Sentence:  "A client whose document names private_key_jwt gets no tokens without an assertion.",
				Covers:    []string{"as-cimd-private-key-jwt"},
			},
			Needs: needs,
			Run:   documentPrivateKey,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/unavailable",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: draft + "section 4.3",
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
				Reference: draft + "section 4.4",
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
				Reference: draft + "section 4.4; RFC 9111 section 5.2.2.5",
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
				Reference: draft + "section 6.5; MCP 2025-11-25 authorization, Authorization Server Abuse Protection",
				Sentence:  "No document is fetched from a private address, also not by a redirect.",
				Covers:    []string{"as-cimd-ssrf", "AS-081", "AS-083"},
			},
			Needs: needs,
			Run:   documentPrivateNetwork,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/bounded",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: revisions,
				Reference: draft + "section 6.6",
				Sentence:  "An endless document is refused.",
				Covers:    []string{"as-cimd-size-limit", "AS-084"},
			},
			Needs: needs,
			Run:   documentBounded,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/redirect-host",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Localhost Redirect URI Risks",
				Sentence:  "A page shows the host of the redirect URI before the code.",
				Covers:    []string{"as-cimd-redirect-host-shown", "AS-012"},
			},
			Needs: needs,
			Run:   documentRedirectHost,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/client-host",
				Level:     check.Should,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: draft + "section 6.4",
				Sentence:  "A page shows the host of the client ID before the code.",
				Covers:    []string{"as-cimd-client-host-shown"},
			},
			Needs: needs,
			Run:   documentClientHost,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/document/loopback-warning",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: revisions,
				Reference: "MCP 2025-11-25 authorization, Localhost Redirect URI Risks",
				Sentence:  "A client with loopback redirect URIs only gets another page than a site: it has a warning.",
				Covers:    []string{"as-cimd-localhost-warning", "AS-087"},
			},
			Needs: needs,
			Run:   documentLoopbackWarning,
		},
	}
}

// documentSupported tries authorization-server/document/supported.
func documentSupported(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	if !metadata.ClientDocuments {
		return &check.NotApplicable{Reason: "the server has no client ID metadata documents"}
	}
	if client, err := p.Public(ctx); err == nil { // the control, where there is another client
		if _, err := p.Granted(ctx, client); err != nil {
			return err
		}
	}
	document := p.NewDocument(bench.GoodDocument(nil))
	made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
	if err != nil {
		return err
	}
	if made.Code() == "" {
		return p.Mismatch("a code for a client with a document", made.String())
	}
	answer, tokens, err := p.Redeem(ctx, made)
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a client with a document", answer.String())
	}
	return err
}

// documentAdvertised tries authorization-server/document/advertised.
func documentAdvertised(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err == nil && !metadata.ClientDocuments {
		return p.Mismatch("client_id_metadata_document_supported", "a document without it")
	}
	return err
}

// documentFetched tries authorization-server/document/fetched.
func documentFetched(ctx context.Context, p *bench.Probe) error {
	document, _, err := p.DocumentClient(ctx)
	if err == nil && document.Fetches() == 0 {
		return p.Mismatch("a request for the document", "a code without one")
	}
	return err
}

// A documentVector is a document with a flaw.
type documentVector struct {
	name  string
	serve func(url string) http.Handler
	// level is the level for a server that issues a code. Empty means the rule's.
	level check.Level
}

// refuseDocuments wants no code for clients with flawed documents.
func refuseDocuments(ctx context.Context, p *bench.Probe, vectors ...documentVector) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range vectors {
		document := p.NewDocument(vector.serve)
		made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
		if err != nil {
			return err
		}
		if made.Code() != "" {
			mismatch := p.Insecure("no code for a document with "+vector.name, made.String())
			mismatch.Level = vector.level
			found = append(found, mismatch)
		}
	}
	return bench.All(found...)
}

// documentClientID tries authorization-server/document/client-id.
func documentClientID(ctx context.Context, p *bench.Probe) error {
	withID := func(change func(url string) string) func(string) http.Handler {
		return func(url string) http.Handler {
			return bench.ServeDocument(bench.DocumentText(url, bench.Members{"client_id": change(url)}))
		}
	}
	other := func(string) string { return "https://other.example/client.json" }
	return refuseDocuments(ctx, p,
		documentVector{"another client_id", withID(other), ""},
		documentVector{"a slash after the client_id", withID(func(url string) string { return url + "/" }), ""},
		documentVector{"a client_id in upper case", withID(strings.ToUpper), ""},
		documentVector{"no client_id", bench.GoodDocument(bench.Members{"client_id": nil}), ""},
	)
}

// documentValid tries authorization-server/document/valid.
func documentValid(ctx context.Context, p *bench.Probe) error {
	text := func(change func(good string) string) func(string) http.Handler {
		return func(url string) http.Handler { return bench.ServeDocument(change(bench.DocumentText(url, nil))) }
	}
	return refuseDocuments(ctx, p,
		documentVector{"HTML", text(func(string) string { return "<!DOCTYPE html><p>Hello" }), ""},
		documentVector{"half a JSON object", text(func(good string) string { return good[:len(good)/2] }), ""},
		documentVector{"a JSON array", text(func(good string) string { return "[" + good + "]" }), ""},
		documentVector{"no redirect_uris", bench.GoodDocument(bench.Members{"redirect_uris": nil}), ""},
		documentVector{"no client_name", bench.GoodDocument(bench.Members{"client_name": nil}), check.Should},
	)
}

// documentRedirect tries authorization-server/document/redirect.
func documentRedirect(ctx context.Context, p *bench.Probe) error {
	document, _, err := p.DocumentClient(ctx)
	if err != nil {
		return err
	}
	return refuseRedirects(ctx, p, document.Client(bench.SiteRedirect), []redirectVector{
		{"another host", "https://evil.example/callback"},
		{"another path", bench.SiteRedirect + "/more"},
		{"a query", bench.SiteRedirect + "?more=1"},
		{"another scheme", "http://mcp-auth-conformance.example/callback"},
	})
}

// documentURL tries authorization-server/document/url. Each URL serves a document that names it.
func documentURL(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, change := range map[string]func(url string) string{
		"http":         func(url string) string { return strings.Replace(url, "https:", "http:", 1) },
		"no path":      func(url string) string { return strings.TrimSuffix(url, "/client.json") },
		"a fragment":   func(url string) string { return url + "#part" },
		"a user name":  func(url string) string { return strings.Replace(url, "https://", "https://user:pass@", 1) },
		"dot segments": func(url string) string { return strings.Replace(url, "/client", "/x/../client", 1) },
	} {
		var changed string
		p.NewDocument(func(url string) http.Handler {
			changed = change(url)
			return bench.ServeDocument(bench.DocumentText(changed, nil))
		})
		made, err := p.Authorize(ctx, &bench.Client{ID: changed, RedirectURI: bench.SiteRedirect})
		if err != nil {
			return err
		}
		if made.Code() != "" {
			found = append(found, p.Insecure("no code for a client ID with "+name, made.String()))
		}
	}
	return bench.All(found...)
}

// documentNoSecret tries authorization-server/document/no-secret.
func documentNoSecret(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	const secret = "mcp-auth-conformance-secret"
	document := p.NewDocument(bench.GoodDocument(bench.Members{
		"token_endpoint_auth_method": "client_secret_basic",
		"client_secret":              secret,
	}))
	client := document.Client(bench.SiteRedirect)
	wrong := *client
	wrong.Secret = "not-the-secret"
	right := *client
	right.Secret = secret
	var issued []bool
	for _, presented := range []*bench.Client{&wrong, &right} {
		made, err := p.Authorize(ctx, client)
		if err != nil || made.Code() == "" {
			return err
		}
		_, tokens, err := p.Token(ctx, presented, made.CodeForm())
		if err != nil {
			return err
		}
		issued = append(issued, tokens != nil)
	}
	switch {
	case issued[1] && !issued[0]:
		return p.Insecure("no tokens for the secret in a document", "tokens")
	case issued[1]:
		return p.MismatchAt(check.Should, "a refusal of a document with a secret", "a client without authentication")
	}
	return nil
}

// documentPrivateKey tries authorization-server/document/private-key.
func documentPrivateKey(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return err
	}
	document := p.NewDocument(bench.GoodDocument(bench.Members{
		"token_endpoint_auth_method": "private_key_jwt",
		"jwks": map[string]any{"keys": []any{map[string]any{
			"kty": "EC",
			"crv": "P-256",
			"x":   "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
			"y":   "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
		}}},
	}))
	made, err := p.Authorize(ctx, document.Client(bench.SiteRedirect))
	if err != nil || made.Code() == "" {
		return err
	}
	_, tokens, err := p.Redeem(ctx, made)
	if err != nil || tokens == nil {
		return err
	}
	want := "no tokens without an assertion"
	for _, method := range metadata.TokenAuthMethods {
		if method == "private_key_jwt" {
			return p.Insecure(want, "tokens")
		}
	}
	return p.MismatchAt(check.Should, want, "tokens")
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

// shows reports whether a page before the code shows a host.
func shows(made *bench.Authorization, host string) bool {
	for _, exchange := range made.Browser.Exchanges() {
		if strings.Contains(strings.ToLower(exchange.Text()), host) {
			return true
		}
	}
	return false
}

// documentRedirectHost tries authorization-server/document/redirect-host.
func documentRedirectHost(ctx context.Context, p *bench.Probe) error {
	_, _, err := p.DocumentClient(ctx)
	if err != nil {
		return err
	}
	const redirect = "https://redirect-host.example/callback"
	document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
	made, err := p.Authorize(ctx, document.Client(redirect))
	switch {
	case err != nil:
		return err
	case !made.Browser.HasActed():
		return &check.NotApplicable{Reason: "no page is shown before the code"}
	case !shows(made, "redirect-host.example"):
		return p.Mismatch("redirect-host.example on a page before the code", "pages without it")
	}
	return nil
}

// documentClientHost tries authorization-server/document/client-host.
func documentClientHost(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	const redirect = "https://redirect-host.example/callback"
	document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
	made, err := p.Authorize(ctx, document.Client(redirect))
	if err != nil {
		return err
	}
	host := strings.TrimSuffix(strings.TrimPrefix(document.URL, "https://"), "/client.json")
	if !made.Browser.HasActed() {
		return &check.NotApplicable{Reason: "no page is shown before the code"}
	}
	if !shows(made, host) {
		return p.Mismatch(host+" on a page before the code", "pages without it")
	}
	return nil
}

// documentLoopbackWarning tries authorization-server/document/loopback-warning. It compares the
// pages of two clients, without their addresses.
func documentLoopbackWarning(ctx context.Context, p *bench.Probe) error {
	if _, _, err := p.DocumentClient(ctx); err != nil {
		return err
	}
	var texts []string
	for _, redirect := range []string{bench.SiteRedirect, bench.LoopbackRedirect} {
		document := p.NewDocument(bench.GoodDocument(bench.Members{"redirect_uris": []string{redirect}}))
		made, err := p.Approved(ctx, document.Client(redirect))
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, exchange := range made.Browser.Exchanges() {
			if exchange.HasForm() {
				text.WriteString(withoutAddresses(exchange.Text()))
			}
		}
		texts = append(texts, text.String())
	}
	if texts[0] == texts[1] {
		return p.Mismatch("a warning about a program on this computer", "the same text as for a site")
	}
	return nil
}

// withoutAddresses removes the words of a text that can be part of an address.
func withoutAddresses(text string) string {
	var kept []string
	for _, word := range strings.Fields(text) {
		if !strings.ContainsAny(strings.TrimRight(word, "."), "./:") {
			kept = append(kept, word)
		}
	}
	return strings.Join(kept, " ")
}
