package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// thirdPartyChecks returns the checks of authorization-server/third-party: an authorization server
// that lets people sign in at a third party, as its client.
func thirdPartyChecks() []bench.Check {
	needs := []bench.Need{bench.Scripted}
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/browser",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP security best practices, Confused Deputy Problem, OAuth state; CVE-2026-27124",
				Sentence:  "A sign-in that began in one browser gives no code in another.",
				Covers: []string{
					"AS-003",
					"AS-007",
					"server-proxy-state-after-consent",
					"server-proxy-state-validated",
				},
			},
			Needs: needs,
			Run:   thirdPartyBrowser,
		},
		{
			Rule: check.Rule{
				ID:       "authorization-server/third-party/state",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "MCP security best practices, Confused Deputy Problem, OAuth state; OAuth 2.1 " +
					"draft-13 section 2.3.3",
				Sentence: "An answer of the third party without the right state gives no code.",
				Covers:   []string{"AS-040", "server-proxy-state-validated"},
			},
			Needs: needs,
			Run:   thirdPartyState,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/replay",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP security best practices, Confused Deputy Problem: a state is used once",
				Sentence:  "An answer of the third party gives no second code.",
				Covers:    []string{"AS-040", "server-proxy-state-validated"},
			},
			Needs: needs,
			Run:   thirdPartyReplay,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/code",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 9700 section 4.5; OAuth 2.1 draft-13 section 7.5.2",
				Sentence:  "A code of the third party from another sign-in gives no code.",
				Covers:    []string{"AS-041"},
			},
			Needs: needs,
			Run:   thirdPartyCode,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/request",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP security best practices, Confused Deputy Problem, OAuth state; RFC 9700 section 2.1.1",
				Sentence:  "The request to the third party has a state of the server's own, and PKCE or a nonce.",
				Covers:    []string{"AS-042", "server-proxy-state-validated"},
			},
			Needs: needs,
			Run:   thirdPartyRequest,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/parameters",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 section 3.1; OWASP, HTTP parameter pollution",
				Sentence:  "No parameter of the client reaches the third party.",
				Covers:    []string{"AS-029"},
			},
			Needs: needs,
			Run:   thirdPartyParameters,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/error",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 4.1.2.1 and 7.11; CVE-2026-33758",
				Sentence: "An error of the third party puts no markup into a page, and no forbidden characters " +
					"into a response.",
				Covers: []string{"AS-044"},
			},
			Needs: needs,
			Run:   thirdPartyError,
		},
	}
}

// A thirdParty is a client of a server where people sign in elsewhere.
type thirdParty struct {
	probe  *bench.Probe
	client *bench.Client
	host   string // of the authorization server
	// request is the request to the third party, and callback its answer, of a good sign-in.
	request  *http.Request
	callback *http.Request
}

// newThirdParty sends a person through a good authorization, and finds the third party in it.
func newThirdParty(ctx context.Context, p *bench.Probe) (*thirdParty, error) {
	made, err := p.PublicApproved(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := p.Redeemed(ctx, made); err != nil {
		return nil, err
	}
	found := &thirdParty{probe: p, client: made.Client}
	exchanges := made.Browser.Exchanges()
	found.host = exchanges[0].Request.URL.Host
	for _, exchange := range exchanges {
		request := exchange.Request
		switch {
		case found.request == nil && request.URL.Host != found.host && isAuthorization(request.URL.Query()):
			found.request = request
		case found.request != nil && found.callback == nil && found.isCallback(request):
			found.callback = request
		}
	}
	if found.callback == nil {
		return nil, &check.NotApplicable{Reason: "people do not sign in at a third party with OAuth"}
	}
	return found, nil
}

// isAuthorization reports whether a query is an authorization request.
func isAuthorization(query url.Values) bool {
	return query.Get("client_id") != "" && query.Get("redirect_uri") != ""
}

// isCallback reports whether a request brings the third party's answer to the server.
func (t *thirdParty) isCallback(request *http.Request) bool {
	redirect, err := url.Parse(t.request.URL.Query().Get("redirect_uri"))
	return err == nil && request.URL.Host == redirect.Host && request.URL.Path == redirect.Path
}

// until sends a person in a new browser up to a request, and returns its address.
func (t *thirdParty) until(ctx context.Context, is func(*http.Request) bool) (string, error) {
	browser := t.probe.NewBrowser()
	address := ""
	browser.Tamper = func(request *http.Request, _ url.Values) *http.Response {
		if !is(request) {
			return nil
		}
		address = request.URL.String()
		return bench.Stop(request)
	}
	_, err := t.probe.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, t.client)
	if err == nil && address == "" {
		err = &check.CannotJudge{Reason: "the second sign-in does not reach the third party"}
	}
	return address, err
}

func (t *thirdParty) isRequest(request *http.Request) bool {
	return request.URL.Host == t.request.URL.Host && request.URL.Path == t.request.URL.Path
}

// visit opens an address in a browser, and reports the code with which it ends, or "".
func (t *thirdParty) visit(ctx context.Context, browser *bench.Browser, address string) (string, error) {
	landed, err := browser.Visit(ctx, address, false, t.client.RedirectURI)
	if err != nil || landed == nil {
		return "", err
	}
	return landed.Query().Get("code"), nil
}

// withCallback sends a person through a sign-in where the third party's answer is changed.
func (t *thirdParty) withCallback(ctx context.Context, change func(query url.Values)) (*bench.Authorization, error) {
	browser := t.probe.NewBrowser()
	changed := false
	browser.Tamper = func(request *http.Request, _ url.Values) *http.Response {
		if t.isCallback(request) && !changed {
			changed = true
			query := request.URL.Query()
			change(query)
			request.URL.RawQuery = query.Encode()
		}
		return nil
	}
	made, err := t.probe.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, t.client)
	if err == nil && !changed {
		err = made.CannotJudge("the second sign-in does not come back from the third party")
	}
	return made, err
}

// thirdPartyBrowser tries authorization-server/third-party/browser. The victim has cookies of a
// sign-in of its own that it has not approved.
func thirdPartyBrowser(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	var found []*check.Mismatch
	for name, is := range map[string]func(*http.Request) bool{
		"the address of the third party": t.isRequest,
		"the third party's answer":       t.isCallback,
	} {
		address, err := t.until(ctx, is)
		if err != nil {
			return err
		}
		victim := p.NewBrowser()
		victim.Tamper = func(request *http.Request, form url.Values) *http.Response {
			if form != nil {
				return bench.Stop(request)
			}
			return nil
		}
		if _, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: victim}, t.client); err != nil {
			return err
		}
		victim.Tamper = nil
		code, err := t.visit(ctx, victim, address)
		if err != nil {
			return err
		}
		if code != "" {
			found = append(found, p.Insecure("no code in another browser for "+name, "a code"))
		}
	}
	return bench.All(found...)
}

// thirdPartyState tries authorization-server/third-party/state.
func thirdPartyState(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	unknown := strings.Repeat("x", len(t.callback.URL.Query().Get("state")))
	var found []*check.Mismatch
	for name, change := range map[string]func(url.Values){
		"no state":                     bench.Without("state"),
		"an empty state":               bench.Set("state", ""),
		"an unknown state":             bench.Set("state", unknown),
		"the state of another sign-in": bench.Set("state", t.callback.URL.Query().Get("state")),
	} {
		made, err := t.withCallback(ctx, change)
		if err != nil {
			return err
		}
		if made.Code() != "" {
			found = append(found, p.Insecure("no code for an answer with "+name, made.String()))
		}
	}
	return bench.All(found...)
}

// thirdPartyReplay tries authorization-server/third-party/replay. A second click may get the same
// code.
func thirdPartyReplay(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	browser := p.NewBrowser()
	made, err := p.ApprovedAs(ctx, bench.Visitor{Browser: browser}, t.client)
	if err != nil {
		return err
	}
	address := ""
	for _, exchange := range browser.Exchanges() {
		if t.isCallback(exchange.Request) {
			address = exchange.Request.URL.String()
		}
	}
	if address == "" {
		return &check.CannotJudge{Reason: "the second sign-in does not come back from the third party"}
	}
	code, err := t.visit(ctx, browser, address)
	if err == nil && code != "" && code != made.Code() {
		return p.Insecure("no second code for an answer of the third party", "another code")
	}
	return err
}

// thirdPartyCode tries authorization-server/third-party/code.
func thirdPartyCode(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	address, err := t.until(ctx, t.isCallback)
	if err != nil {
		return err
	}
	stolen, err := url.Parse(address)
	if err != nil || stolen.Query().Get("code") == "" {
		return &check.NotApplicable{Reason: "the third party's answer has no code"}
	}
	made, err := t.withCallback(ctx, bench.Set("code", stolen.Query().Get("code")))
	if err == nil && made.Code() != "" {
		return p.Insecure("no code for the third party's code of another sign-in", made.String())
	}
	return err
}

// minState is the length of a state with 96 bits in base64url.
const minState = 16

// thirdPartyRequest tries authorization-server/third-party/request.
func thirdPartyRequest(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	made, err := p.Approved(ctx, t.client)
	if err != nil {
		return err
	}
	var query url.Values
	for _, exchange := range made.Browser.Exchanges() {
		if t.isRequest(exchange.Request) && isAuthorization(exchange.Request.URL.Query()) {
			query = exchange.Request.URL.Query()
			break
		}
	}
	switch state := query.Get("state"); {
	case query == nil:
		return &check.CannotJudge{Reason: "the second sign-in does not reach the third party"}
	case query.Get("client_id") == t.client.ID:
		return &check.NotApplicable{Reason: "the client itself is sent to the third party"}
	case state == made.Query.Get("state"):
		return p.Insecure("a state of the server's own", "the client's state")
	case len(state) < minState:
		return p.Insecure("a state that is random", fmt.Sprintf("a state with %d characters", len(state)))
	case query.Get("code_challenge") == "" && query.Get("nonce") == "":
		return p.MismatchAt(check.Policy, "code_challenge or nonce", "neither")
	case query.Get("code_challenge") == made.Query.Get("code_challenge"):
		return p.MismatchAt(check.Policy, "a code_challenge of the server's own", "the client's code_challenge")
	}
	return nil
}

// thirdPartyParameters tries authorization-server/third-party/parameters.
func thirdPartyParameters(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	const value = "mcp-auth-conformance-value"
	var changes []bench.Change
	for _, name := range []string{"domain_hint", "login_hint", "claims", "nonce", "acr_values", "x_parameter"} {
		changes = append(changes, bench.Set(name, value))
	}
	made, err := p.Approved(ctx, t.client, changes...)
	if err != nil {
		return err
	}
	for _, exchange := range made.Browser.Exchanges() {
		if exchange.Request.URL.Host == t.host {
			continue
		}
		for name, values := range exchange.Request.URL.Query() {
			if slices.Contains(values, value) {
				return p.Mismatch("no "+name+" of the client at the third party", "the client's value")
			}
		}
	}
	return nil
}

// thirdPartyError tries authorization-server/third-party/error.
func thirdPartyError(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	made, err := t.withCallback(ctx, func(query url.Values) {
		query.Del("code")
		query.Set("error", "access_denied")
		query.Set("error_description", injection+"\r\nSet-Cookie: mcp-auth-conformance=1\r\n\r\n")
	})
	if err != nil {
		return err
	}
	if mismatch := judgeMarkup(p, made, "error_description"); mismatch != nil {
		return mismatch
	}
	for _, name := range []string{"error", "error_description"} {
		if text := made.Response.Get(name); strings.ContainsFunc(text, isForbiddenInErrors) {
			return p.Mismatch(name+" of the permitted characters", fmt.Sprintf("%q", text))
		}
	}
	return nil
}
