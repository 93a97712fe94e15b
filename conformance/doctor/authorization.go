package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// The values of the walk's authorization request. They are public, because the walk never redeems a
// code. The challenge is the one of RFC 7636 appendix B.
const (
	ownState     = "mcp-auth-conformance-doctor"
	ownChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// mostHops bounds the pages between the authorization endpoint and the sign-in.
const mostHops = 12

// authorized is what the step authorization collects.
type authorized struct {
	w        *walk
	issuer   *issuerSeen
	last     *answer // the answer where the visit ended
	client   url.Values
	returned bool     // to the client
	upstream *url.URL // the request at Entra ID
	signIn   bool     // a page where a person signs in
	pages    int      // pages of the server's own, before Entra ID
	tooMany  bool
}

func (w *walk) authorization(ctx context.Context, step *Step) bool {
	for _, issuer := range w.issuers {
		if issuer.isEntra || text(issuer.document, "authorization_endpoint") == "" {
			continue
		}
		request := w.request(issuer)
		if request == nil {
			step.fine("authorization-not-tried",
				"without a client, the walk cannot try the authorization endpoint; give one with --client-id")
			return true
		}
		seen := &authorized{w: w, issuer: issuer}
		w.visit(ctx, step, seen, request)
		w.authorized = seen
		if found := seen.entraError(); found != nil {
			passedOn := &entraAsked{w: w, errors: []entraError{*found}}
			passedOn.report(step)
			return true
		}
		diagnose(step, seen, authorizationSymptoms)
		end := "the server shows a page to sign in"
		if seen.upstream != nil {
			end = "the server sends the person to " + w.secrets.Shown(originOf(seen.upstream)) + " to sign in"
		}
		step.fine("authorization-works", end)
		return true
	}
	step.fine("authorization-elsewhere", "clients sign in at Entra ID itself, see below")
	return true
}

// request returns the authorization request of a client that follows MCP, or nil without a client.
func (w *walk) request(issuer *issuerSeen) *url.URL {
	id := w.config.ClientID
	back := w.config.RedirectURI
	if id == "" && w.registered != nil {
		id = w.registered.id
		back = ownRedirect
	}
	if id == "" {
		return nil
	}
	if back == "" {
		back = ownRedirect
	}
	return w.requestFor(issuer, id, back, w.resourceParameter())
}

// resourceParameter returns the parameter resource as clients send it (RFC 8707). They normalise
// the URL, so an origin ends with a slash.
func (w *walk) resourceParameter() string {
	resource := w.endpoint.String()
	if w.resource != nil && text(w.resource.document, "resource") != "" {
		resource = text(w.resource.document, "resource")
	}
	parsed, err := url.Parse(resource)
	if err == nil && parsed.Host != "" && parsed.Path == "" {
		parsed.Path = "/"
		return parsed.String()
	}
	return resource
}

// requestFor returns an authorization request, or nil if the endpoint is not a URL.
func (w *walk) requestFor(issuer *issuerSeen, id, back, resource string) *url.URL {
	at, err := url.Parse(text(issuer.document, "authorization_endpoint"))
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil
	}
	query := at.Query()
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("response_type", "code")
	set("client_id", id)
	set("redirect_uri", back)
	set("scope", strings.Join(w.scopes(), " "))
	set("state", ownState)
	set("code_challenge", ownChallenge)
	set("code_challenge_method", "S256")
	set("resource", resource)
	at.RawQuery = query.Encode()
	at.Fragment = ""
	return at
}

// visit follows an authorization request like a browser, up to the sign-in.
func (w *walk) visit(ctx context.Context, step *Step, seen *authorized, request *url.URL) {
	back := request.Query().Get("redirect_uri")
	next := question{method: http.MethodGet, address: request.String(), browser: true}
	for range mostHops {
		a := w.ask(ctx, next)
		seen.last = a
		step.did("%s %s: %s", next.method, w.secrets.Shown(withoutQuery(next.address)), w.says(a))
		following, isForm := nextPage(a)
		if isForm {
			seen.pages++
			step.did("The walk approves its own request on this page. No person is signed in, so it grants nothing.")
		}
		switch {
		case following == nil:
			seen.signIn = a.status == http.StatusOK && a.isPage()
			return
		case isReturn(following.address, back):
			seen.returned = true
			if parsed, err := url.Parse(following.address); err == nil {
				seen.client = parsed.Query()
			}
			return
		}
		if parsed, err := url.Parse(following.address); err == nil && isEntraRequest(parsed) {
			seen.upstream = parsed
			return
		}
		next = *following
	}
	seen.tooMany = true
}

// isReturn reports whether an address is the client's redirect URI, with an answer.
func isReturn(address, back string) bool {
	before, _, _ := strings.Cut(address, "?")
	before, _, _ = strings.Cut(before, "#")
	wanted, _, _ := strings.Cut(back, "?")
	return strings.TrimSuffix(before, "/") == strings.TrimSuffix(wanted, "/")
}

// entraPath matches the path of Entra's authorization endpoint, without the tenant.
var entraPath = regexp.MustCompile(`/oauth2(/v2\.0)?/authorize$`)

// isEntraRequest reports whether an address is an authorization request at Entra ID, or at a fake.
func isEntraRequest(address *url.URL) bool {
	return entraPath.MatchString(address.Path) && (address.Scheme == "https" || address.Scheme == "http")
}

// entraError returns the error of Entra ID that the server passes on to the client or the person.
func (s *authorized) entraError() *entraError {
	if s.upstream != nil {
		return nil
	}
	if found := entraErrorOf(s.client.Get("error_description")); found != nil {
		return found
	}
	return entraErrorIn(s.last)
}

func (s *authorized) seesNoAnswer() string {
	if s.last == nil || s.last.err == nil {
		return ""
	}
	return "the authorization endpoint gives no answer: " + s.w.trouble(s.last.err)
}

func (s *authorized) seesLoop() string {
	if !s.tooMany {
		return ""
	}
	return fmt.Sprintf("the sign-in does not begin within %d pages", mostHops)
}

func (s *authorized) seesRefusal() string {
	if s.returned && s.client.Get("error") != "" {
		said := s.client.Get("error")
		if description := s.client.Get("error_description"); description != "" {
			said += ": " + description
		}
		return "the server sends the client away with " + s.w.secrets.Shown(withoutTrace(said))
	}
	if s.last == nil || s.last.err != nil || s.last.status/100 < 4 || s.last.status == http.StatusNotFound {
		return ""
	}
	said := text(s.last.object(), "error_description")
	if said == "" {
		said = visibleText(s.last)
	}
	return fmt.Sprintf("the request gets %s: %s", s.w.says(s.last), s.w.secrets.Shown(said))
}

func (s *authorized) seesNoPage() string {
	if s.last == nil || s.last.status != http.StatusNotFound {
		return ""
	}
	return "there is nothing at " + s.w.secrets.Shown(withoutQuery(s.last.address))
}

func (s *authorized) seesFreeCode() string {
	if !s.returned || s.client.Get("code") == "" {
		return ""
	}
	return "the server gives a code to a browser without cookies, and shows no page"
}

func (s *authorized) seesNoConsent() string {
	if s.upstream == nil || s.pages > 0 || s.w.config.ClientID != "" {
		return ""
	}
	return "the server sends a client that it does not know to " + s.w.secrets.Shown(originOf(s.upstream)) +
		" without a page that asks the person"
}

var authorizationSymptoms = []symptom[*authorized]{
	{
		code:    "authorization-unreachable",
		kind:    Fault,
		seen:    (*authorized).seesNoAnswer,
		why:     "The browser of the person must reach it.",
		effects: everyClient("the browser shows an error"),
		fixes:   fixAuthorizationPath,
	},
	{
		code:    "authorization-not-found",
		kind:    Fault,
		seen:    (*authorized).seesNoPage,
		why:     "The metadata names an address that does not exist. The proxy may not pass its path on.",
		effects: everyClient("the browser shows an error"),
		fixes:   fixAuthorizationPath,
	},
	{
		code:    "authorization-loop",
		kind:    Fault,
		seen:    (*authorized).seesLoop,
		why:     "The browser goes in a circle. Often a proxy drops cookies, or changes http and https.",
		effects: everyClient("the browser reports too many redirects"),
		fixes:   fixAuthorizationPath,
	},
	{
		code:    "authorization-refused",
		kind:    Fault,
		seen:    (*authorized).seesRefusal,
		why:     "The server refuses the request that every client sends.",
		effects: everyClient("the browser shows the error, or the client reports it"),
		fixes:   fixAuthorizationRefusal,
	},
	{
		code:    "code-without-sign-in",
		kind:    Fault,
		seen:    (*authorized).seesFreeCode,
		why:     "Everyone can get a token.",
		effects: everyClient("they get a token without a sign-in"),
		fixes:   fixFreeCode,
	},
	{
		code: "consent-page-missing",
		kind: Warning,
		seen: (*authorized).seesNoConsent,
		why: "An attacker can register a client and use the person's session at Entra ID. MCP wants consent for each " +
			"client before that (confused deputy).",
		effects: everyClient("they work, and so do clients of attackers"),
		fixes:   fixConsent,
	},
}

func fixAuthorizationPath(s *authorized) []Fix {
	return append([]Fix{
		nginxFix("location / {", "\tproxy_pass http://localhost:8000;   # no path after the port", "}"),
		caddyFix("reverse_proxy localhost:8000"),
	}, publicURL(s.issuer.address))
}

func fixAuthorizationRefusal(s *authorized) []Fix {
	return []Fix{
		{ServerSetting, "the log of the server", "read the line of this request, and correct its cause"},
		publicURL(s.w.endpoint),
	}
}

func fixFreeCode(*authorized) []Fix {
	return []Fix{codeFix("let a person sign in before the authorization endpoint gives a code")}
}

func fixConsent(*authorized) []Fix {
	return []Fix{
		serverFix("AUTH_MODE=broker   # mcp-entra-server asks for each client"),
		codeFix("show client, redirect URI and scopes, and wait for the person before the redirect to Entra ID"),
	}
}
