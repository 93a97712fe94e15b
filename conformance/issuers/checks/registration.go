package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// registrationChecks returns the checks of authorization-server/registration: how clients register
// themselves (RFC 7591).
func registrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/offered",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326, check.R20250618},
				Reference: "MCP 2025-06-18 authorization, Dynamic Client Registration",
				Sentence:  "Clients of 2025-06-18 and older can register themselves.",
				Covers:    []string{"as-dcr-supported", "server-legacy-dcr"},
			},
			Run: registrationOffered,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/response",
				Level:     check.Must,
				Reference: "RFC 7591 section 3.2.1",
				Sentence: "A registration is answered with 201, client_id, the registered metadata, and " +
					"client_secret_expires_at beside a secret.",
				Covers: []string{"as-dcr-response", "AS-074"},
			},
			Run: registrationResponse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/errors",
				Level:     check.Must,
				Reference: "RFC 7591 section 3.2.2",
				Sentence:  "A refused registration is answered with 400 and an error code.",
				Covers:    []string{"as-dcr-errors"},
			},
			Run: registrationErrors,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/unknown-members",
				Level:     check.Must,
				Reference: "RFC 7591 section 2",
				Sentence:  "Client metadata that the server does not know is ignored.",
				Covers:    []string{"as-dcr-unknown-ignored", "AS-072"},
			},
			Run: registrationUnknownMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/scripts",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2025-11-25 authorization, Communication Security; OAuth 2.1 draft-13 section 2.3",
				Sentence:  "No redirect URI runs a script or opens a file.",
				Covers:    []string{"as-redirect-localhost-or-https", "AS-070"},
			},
			Run: registrationScripts,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/plain-http",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP 2025-11-25 authorization, Communication Security; OAuth 2.1 draft-13 section 1.5",
				Sentence:  "Redirect URIs are https, or on loopback.",
				Covers: []string{
					"as-redirect-localhost-or-https",
					"AS-070",
					"server-legacy-redirect-validated",
				},
			},
			Run: registrationPlainHTTP,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/fragment",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 6749 section 3.1.2; OAuth 2.1 draft-13 section 2.3",
				Sentence:  "A redirect URI has no fragment.",
				Covers:    []string{"AS-070"},
			},
			Run: registrationFragment,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/chosen-id",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.1: the authorization server assigns the client identifier",
				Sentence:  "A client does not choose its own client_id or client_secret.",
				Covers:    []string{"AS-072"},
			},
			Run: registrationChosenID,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/malformed",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.2",
				Sentence:  "A malformed, deep or long registration does not break the server.",
				Covers:    []string{"AS-072"},
			},
			Run: registrationMalformed,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/public-secret",
				Level:     check.Policy,
				Reference: "RFC 7591 section 2: a client of the method none uses no secret",
				Sentence:  "A public client gets no secret.",
				Covers:    []string{"AS-074"},
			},
			Run: registrationPublicSecret,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/no-store",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "RFC 7591 section 3.2.1; RFC 6749 section 5.1",
				Sentence:  "No cache stores an answer with a client secret.",
				Covers:    []string{"AS-060"},
			},
			Run: registrationNoStore,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/links",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7591 section 5; OAuth 2.1 draft-13 section 7.11",
				Sentence:  "No page links to a script that a client registered.",
				Covers:    []string{"AS-071"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   registrationLinks,
		},
	}
}

// registrationOffered tries authorization-server/registration/offered.
func registrationOffered(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err == nil && metadata.RegistrationEndpoint == "" {
		return p.Mismatch("registration_endpoint", "a document without it")
	}
	return err
}

// registrationResponse registers a client with a secret and one without.
func registrationResponse(ctx context.Context, p *bench.Probe) error {
	for _, method := range []string{"none", "client_secret_basic"} {
		body := bench.Registration(bench.Members{"token_endpoint_auth_method": method})
		answer, registered, err := p.Register(ctx, body)
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
			return &check.NotApplicable{Reason: "a registration needs an initial access token"}
		case registered == nil && answer.Status/100 == 2:
			return p.Mismatch("an answer with client_id", answer.String()+" without one")
		case registered == nil && method == "none":
			return &check.CannotJudge{Reason: "a registration is answered with " + answer.String()}
		case registered == nil:
			continue // the server registers public clients only
		}
		if err := judgeRegistered(p, answer, registered); err != nil {
			return err
		}
	}
	return nil
}

func judgeRegistered(p *bench.Probe, answer *bench.Answer, registered *bench.Registered) error {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(answer.Body, &members)
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.Status == http.StatusOK:
		// OpenID Connect registration has 201 as a recommendation only.
		return p.MismatchAt(check.Should, "status 201", answer.String())
	case answer.Status != http.StatusCreated:
		return p.Mismatch("status 201", answer.String())
	case err != nil || kind != "application/json":
		return p.Mismatch("application/json", fmt.Sprintf("%q", answer.Header.Get("Content-Type")))
	case members["redirect_uris"] == nil:
		return p.Mismatch("the registered redirect_uris", "a document without it")
	case registered.Secret != "" && members["client_secret_expires_at"] == nil:
		return p.Mismatch("client_secret_expires_at beside client_secret", "a document without it")
	}
	return nil
}

// A registrationVector is a registration with a flaw.
type registrationVector struct {
	name string
	body []byte
}

// registrationErrors tries authorization-server/registration/errors.
func registrationErrors(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range []registrationVector{
		{"redirect_uris that is a number", bench.Registration(bench.Members{"redirect_uris": 7})},
		{
			"a redirect URI with a fragment",
			bench.Registration(bench.Members{"redirect_uris": []string{bench.SiteRedirect + "#part"}}),
		},
		{"half a JSON object", []byte(`{"client_name":"x","redirect_uris":[`)},
	} {
		answer, registered, err := p.Register(ctx, vector.body)
		if err != nil {
			return err
		}
		isControl := slices.Contains([]int{
			http.StatusUnauthorized,
			http.StatusForbidden,
			http.StatusRequestEntityTooLarge,
			http.StatusTooManyRequests,
			http.StatusServiceUnavailable,
		}, answer.Status)
		switch {
		case registered != nil, isControl:
		case answer.Status/100 == 4 && answer.Status != http.StatusBadRequest && answer.ErrorCode() != "":
			found = append(found, p.MismatchAt(check.Should, "status 400: "+vector.name, answer.String()))
		case answer.Status != http.StatusBadRequest:
			found = append(found, p.Mismatch("status 400: "+vector.name, answer.String()))
		case answer.ErrorCode() == "":
			found = append(found, p.Mismatch("a JSON object with error: "+vector.name, answer.String()))
		}
	}
	return bench.All(found...)
}

// registrationUnknownMembers tries authorization-server/registration/unknown-members.
func registrationUnknownMembers(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	answer, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"x_conformance_text":   "text",
		"x_conformance_number": 7,
		"x_conformance_list":   []any{"a", true},
		"x_conformance_object": map[string]any{"a": map[string]any{"b": false}},
	}))
	switch {
	case err != nil:
		return err
	case registered == nil && (answer.IsBusy() || answer.Status == http.StatusRequestEntityTooLarge):
		return &check.CannotJudge{Reason: "a registration is answered with " + answer.String()}
	case registered == nil:
		return p.Mismatch("a registration that ignores unknown members", answer.String())
	}
	return nil
}

// registrationScripts tries authorization-server/registration/scripts.
func registrationScripts(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p,
		"javascript:alert(1)",
		"JaVaScRiPt://a.example/%0aalert(1)",
		"data:text/html,<script>alert(1)</script>",
		"vbscript:msgbox(1)",
		"file:///etc/passwd",
	)
}

// registrationPlainHTTP tries authorization-server/registration/plain-http.
func registrationPlainHTTP(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p,
		"http://mcp-auth-conformance.example/callback",
		"http://127.0.0.1.example/callback",
	)
}

// registrationFragment tries authorization-server/registration/fragment.
func registrationFragment(ctx context.Context, p *bench.Probe) error {
	return unusableRedirects(ctx, p, bench.SiteRedirect+"#part")
}

// unusableRedirects wants each redirect URI refused at the registration, left out of its answer, or
// refused by the authorization endpoint.
func unusableRedirects(ctx context.Context, p *bench.Probe, redirects ...string) error {
	if _, err := p.MustRegister(ctx, bench.Members{"redirect_uris": []string{bench.SiteRedirect}}); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, redirect := range redirects {
		mismatch, err := unusableRedirect(ctx, p, redirect)
		if err != nil {
			return err
		}
		found = append(found, mismatch)
	}
	return bench.All(found...)
}

func unusableRedirect(ctx context.Context, p *bench.Probe, redirect string) (*check.Mismatch, error) {
	kind := "web"
	if strings.HasPrefix(redirect, "http:") {
		kind = "native"
	}
	body := bench.Registration(bench.Members{"redirect_uris": []string{redirect}, "application_type": kind})
	answer, registered, err := p.Register(ctx, body)
	switch {
	case err != nil:
		return nil, err
	case registered == nil && answer.Status >= http.StatusInternalServerError:
		return p.Mismatch("a refusal of "+redirect, answer.String()), nil
	case registered == nil, !slices.Contains(registered.RedirectURIs, redirect):
		return nil, nil
	}
	got := fmt.Sprintf("%q", registered.RedirectURIs)
	mismatch := p.Insecure("a refusal, or redirect_uris without "+redirect, got)
	if p.Target().Person == nil {
		return mismatch, nil
	}
	client := registered.Client()
	made, err := p.Authorize(ctx, client, bench.Set("redirect_uri", redirect))
	if err != nil {
		return nil, err
	}
	if made.Landed == nil {
		return nil, nil
	}
	return p.Insecure("no redirect to "+redirect, made.String()), nil
}

// registrationChosenID tries authorization-server/registration/chosen-id.
func registrationChosenID(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	const chosen = "chosen-by-the-client-0123456789"
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"client_id":                  chosen,
		"client_secret":              chosen,
		"token_endpoint_auth_method": "client_secret_basic",
	}))
	switch {
	case err != nil:
		return err
	case registered == nil:
		return nil
	case registered.ID == chosen:
		return p.Mismatch("a client_id of the server", "the client_id that the client chose")
	case registered.Secret == chosen:
		return p.Mismatch("a client_secret of the server", "the client_secret that the client chose")
	}
	return nil
}

// deepLevels is the depth of a nested registration.
const deepLevels = 10_000

// registrationMalformed tries authorization-server/registration/malformed.
func registrationMalformed(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	deep := `{"redirect_uris":` + strings.Repeat("[", deepLevels) + strings.Repeat("]", deepLevels) + "}"
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("%s?number=%d", bench.SiteRedirect, i))
	}
	var found []*check.Mismatch
	for _, vector := range []registrationVector{
		{"an empty body", []byte{}},
		{"null", []byte("null")},
		{"an array", []byte("[]")},
		{"no JSON", []byte("redirect_uris=x")},
		{"deep JSON", []byte(deep)},
		{"a long name", bench.Registration(bench.Members{"client_name": strings.Repeat("x", 100_000)})},
		{"a name that is an object", bench.Registration(bench.Members{"client_name": bench.Members{"a": 1}})},
		{"no redirect URI", bench.Registration(bench.Members{"redirect_uris": []string{}})},
		{"an empty redirect URI", bench.Registration(bench.Members{"redirect_uris": []string{""}})},
		{"redirect URIs of wrong types", bench.Registration(bench.Members{"redirect_uris": []any{nil, 1, true}})},
		{"1,000 redirect URIs", bench.Registration(bench.Members{"redirect_uris": many})},
	} {
		answer, _, err := p.Register(ctx, vector.body)
		if err != nil {
			return err
		}
		if answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusServiceUnavailable {
			found = append(found, p.Mismatch("a status 4xx: "+vector.name, answer.String()))
		}
	}
	answer, _, err := p.Register(ctx, bench.Registration(nil))
	if err != nil {
		return err
	}
	if answer.Status >= http.StatusInternalServerError && !answer.IsBusy() {
		found = append(found, p.Mismatch("a registration after malformed ones", answer.String()))
	}
	return bench.All(found...)
}

// registrationPublicSecret tries authorization-server/registration/public-secret.
func registrationPublicSecret(ctx context.Context, p *bench.Probe) error {
	registered, err := p.MustRegister(ctx, nil)
	if err == nil && registered.Secret != "" && (registered.Method == "" || registered.Method == "none") {
		return p.Mismatch("no client_secret for the method none", "a client_secret")
	}
	return err
}

// registrationNoStore tries authorization-server/registration/no-store.
func registrationNoStore(ctx context.Context, p *bench.Probe) error {
	body := bench.Registration(bench.Members{"token_endpoint_auth_method": "client_secret_basic"})
	answer, registered, err := p.Register(ctx, body)
	switch {
	case err != nil:
		return err
	case registered == nil || registered.Secret == "":
		return &check.NotApplicable{Reason: "no client with a secret can register"}
	case !isUncached(answer.Header):
		return p.Mismatch("Cache-Control: no-store", fmt.Sprintf("%q", answer.Header.Get("Cache-Control")))
	}
	return nil
}

// isUncached reports whether a header has no-store among the directives of Cache-Control.
func isUncached(header http.Header) bool {
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-store") {
				return true
			}
		}
	}
	return false
}

// registrationLinks looks for the addresses of a client in all pages before a code.
func registrationLinks(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	const script = "javascript:mcpAuthConformance()"
	_, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"logo_uri":           script,
		"client_uri":         script,
		"tos_uri":            script,
		"policy_uri":         script,
		"client_uri#de":      script,
		"policy_uri#ja-Jpan": script,
	}))
	if err != nil || registered == nil {
		return err
	}
	made, err := p.Authorize(ctx, registered.Client())
	if err != nil {
		return err
	}
	for _, exchange := range made.Browser.Exchanges() {
		text := html.UnescapeString(string(exchange.Body))
		if strings.Contains(text, `href="`+script) || strings.Contains(text, `src="`+script) ||
			strings.Contains(text, `href='`+script) {
			return p.Insecure("a page without the script that a client registered", "a link to it at "+pathOf(exchange))
		}
	}
	return nil
}

// pathOf returns the address of an exchange without its query.
func pathOf(exchange bench.Exchange) string {
	address := *exchange.Request.URL
	address.RawQuery = ""
	return address.String()
}
