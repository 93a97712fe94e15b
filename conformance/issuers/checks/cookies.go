package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// cookiesChecks returns the checks of authorization-server/cookies.
func cookiesChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/cookies/attributes",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "MCP security best practices, Consent Cookie Security; RFC 6265bis sections 4.1.2 and 8.8",
				Sentence:  "Cookies are HttpOnly and SameSite, over https also Secure, and have no Domain.",
				Covers:    []string{"AS-008", "server-proxy-consent-cookie-flags"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   cookiesAttributes,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/cookies/bounded",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 6265 section 6.1; FastMCP issue 3784",
				Sentence:  "Many authorizations do not fill a browser with cookies.",
				Covers:    []string{"AS-008"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   cookiesBounded,
		},
	}
}

// cookiesAttributes tries authorization-server/cookies/attributes. It judges the cookies of the
// authorization server's own host.
func cookiesAttributes(ctx context.Context, p *bench.Probe) error {
	made, err := p.PublicApproved(ctx)
	if err != nil {
		return err
	}
	issuer, err := url.Parse(p.Target().URL)
	if err != nil {
		return &check.CannotJudge{Reason: "the issuer is not a URL", Err: err}
	}
	var found []*check.Mismatch
	for _, exchange := range made.Browser.Exchanges() {
		if exchange.Request.URL.Host != issuer.Host {
			continue
		}
		for _, cookie := range (&http.Response{Header: exchange.Header}).Cookies() {
			if missing := missingAttribute(cookie, issuer.Scheme == "https"); missing != "" {
				found = append(found, p.Mismatch(missing+" for the cookie "+cookie.Name, "a cookie without it"))
			}
		}
	}
	return bench.All(found...)
}

// missingAttribute returns what a cookie lacks, or "". A cookie that is deleted lacks nothing.
func missingAttribute(cookie *http.Cookie, isSecure bool) string {
	hasSite := cookie.SameSite == http.SameSiteLaxMode || cookie.SameSite == http.SameSiteStrictMode
	switch {
	case cookie.MaxAge < 0 || cookie.Value == "":
		return ""
	case !cookie.HttpOnly:
		return "HttpOnly"
	case !hasSite:
		return "SameSite=Lax or Strict"
	case isSecure && !cookie.Secure:
		return "Secure"
	case cookie.Domain != "":
		return "no Domain"
	}
	return ""
}

// Authorizations that a browser begins, and the bytes of cookies that it may send afterwards. Many
// servers refuse headers of more than 8 kB.
const (
	begunAuthorizations = 40
	maxCookies          = 4 << 10
)

// cookiesBounded tries authorization-server/cookies/bounded. Each authorization ends at the first
// page with a form.
func cookiesBounded(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	browser := p.NewBrowser()
	if _, err := p.ApprovedAs(ctx, bench.Visitor{Browser: browser}, client); err != nil {
		return err
	}
	size := 0
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		size = max(size, len(request.Header.Get("Cookie")))
		if form != nil {
			return bench.Stop(request)
		}
		return nil
	}
	for range begunAuthorizations {
		if _, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, client); err != nil {
			return err
		}
	}
	if size > maxCookies {
		want := fmt.Sprintf("at most %d bytes of cookies after %d authorizations", maxCookies, begunAuthorizations)
		return p.Mismatch(want, fmt.Sprintf("%d bytes", size))
	}
	return nil
}
