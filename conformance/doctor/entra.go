package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// entraHosts are the hosts of Entra ID's clouds.
var entraHosts = []string{
	"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
	"login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.chinacloudapi.cn",
}

// entraMembers are members of the metadata that only Entra ID has.
var entraMembers = []string{"cloud_instance_name", "tenant_region_scope", "msgraph_host"}

// looksLikeEntra reports whether an authorization server is Entra ID, or a fake.
func looksLikeEntra(seen *issuerSeen) bool {
	host := strings.ToLower(seen.address.Hostname())
	isMember := slices.ContainsFunc(entraMembers, func(name string) bool { return has(seen.document, name) })
	return isMember || slices.Contains(entraHosts, host) || strings.HasSuffix(host, ".ciamlogin.com") ||
		len(entraErrors(seen.places)) > 0
}

// entraNumber matches the number of an error.
var entraNumber = regexp.MustCompile(`AADSTS([0-9]{4,9})`)

// An entraError is an error of Entra ID.
type entraError struct {
	number  int
	message string // without trace ID, correlation ID and timestamp
}

// entraErrors returns the errors in answers.
func entraErrors(places []place) []entraError {
	var all []entraError
	for _, p := range places {
		if found := entraErrorIn(p.answer); found != nil {
			all = append(all, *found)
		}
	}
	return all
}

// serviceMessage matches the message on an error page.
var serviceMessage = regexp.MustCompile(`"strServiceExceptionMessage"\s*:\s*("(?:[^"\\]|\\.)*")`)

// entraErrorIn returns the error in an answer: in the redirect, in the JSON, or on the page.
func entraErrorIn(a *answer) *entraError {
	if a == nil || a.err != nil {
		return nil
	}
	message := ""
	switch {
	case a.isRedirect():
		if target := a.location(); target != nil {
			message = target.Query().Get("error_description")
			if fragment, err := url.ParseQuery(target.Fragment); err == nil && message == "" {
				message = fragment.Get("error_description")
			}
		}
	case a.object() != nil:
		message = text(a.object(), "error_description")
	case a.isPage():
		if found := serviceMessage.FindSubmatch(a.body); found != nil {
			if unquoted, err := strconv.Unquote(string(found[1])); err == nil {
				message = unquoted
			}
		}
		if message == "" {
			message = visibleText(a)
		}
	}
	return entraErrorOf(message)
}

// entraErrorOf returns the error in a message.
func entraErrorOf(message string) *entraError {
	at := entraNumber.FindStringSubmatchIndex(message)
	if at == nil {
		return nil
	}
	number, err := strconv.Atoi(message[at[2]:at[3]])
	if err != nil {
		return nil
	}
	return &entraError{number: number, message: withoutTrace(message[at[0]:])}
}

// traces matches the end of an error message, which differs each time.
var traces = regexp.MustCompile(`\s*(Trace ID|Troubleshooting details).*`)

// withoutTrace cuts the trace off an error message.
func withoutTrace(message string) string {
	return traces.ReplaceAllString(strings.Join(strings.Fields(message), " "), "")
}

// entraAsked is what the step entra collects.
type entraAsked struct {
	w      *walk
	issuer *issuerSeen // Entra ID itself, or nil if a broker is in front
	query  url.Values  // of the broker's request
	at     *url.URL
	client string // the client ID of the requests

	errors   []entraError // each number once
	fitting  []string     // clients whose redirect URI is registered
	missing  []redirect   // clients whose redirect URI is not
	inferred bool         // the client ID is a guess
	answered bool         // with a sign-in page, or a code
}

func (w *walk) entra(ctx context.Context, step *Step) bool {
	asked := false
	if w.authorized != nil && w.authorized.upstream != nil {
		asked = true
		seen := &entraAsked{w: w, at: w.authorized.upstream, query: w.authorized.upstream.Query()}
		seen.client = seen.query.Get("client_id")
		seen.probe(ctx, step, "the request of the server", seen.at)
		diagnose(step, seen, brokerSymptoms)
		seen.report(step)
	}
	for _, issuer := range w.issuers {
		if issuer.isEntra && issuer.found != nil {
			asked = true
			w.askDirectly(ctx, step, issuer)
		}
	}
	if !asked {
		step.fine("entra-not-found", "the walk found no request to Entra ID")
		return true
	}
	step.fine("entra-accepts", "Entra ID accepts the request, and would show its sign-in page")
	return true
}

// probe sends an authorization request to Entra ID and keeps the error.
func (s *entraAsked) probe(ctx context.Context, step *Step, name string, request *url.URL) *entraError {
	a := s.w.ask(ctx, question{method: http.MethodGet, address: request.String(), browser: true})
	found := entraErrorIn(a)
	switch {
	case a.err != nil:
		step.did("%s at %s: %s", name, s.w.secrets.Shown(request.Host), s.w.trouble(a.err))
	case found != nil:
		step.did("%s at %s: AADSTS%d", name, s.w.secrets.Shown(request.Host), found.number)
		s.keep(*found)
	default:
		step.did("%s at %s: %s, no error", name, s.w.secrets.Shown(request.Host), s.w.says(a))
		s.answered = s.answered || a.status/100 == 2 || a.isRedirect()
	}
	return found
}

func (s *entraAsked) keep(found entraError) {
	isKnown := func(e entraError) bool { return e.number == found.number }
	if !slices.ContainsFunc(s.errors, isKnown) {
		s.errors = append(s.errors, found)
	}
}

// report adds a finding for each error.
func (s *entraAsked) report(step *Step) {
	for _, found := range s.errors {
		why, fixes := explain(found)
		for i := range fixes {
			fixes[i].Text = strings.ReplaceAll(fixes[i].Text, "the resource of the request", s.resource())
		}
		step.Add(Finding{
			Code:    "aadsts-" + strconv.Itoa(found.number),
			Kind:    Fault,
			Seen:    "Entra ID answers before any sign-in: " + s.w.secrets.Shown(found.message),
			Why:     why,
			Effects: effectsOf(found.number),
			Fixes:   fixes,
		})
	}
}

// resource returns the parameter resource of the request.
func (s *entraAsked) resource() string {
	if s.issuer == nil {
		return clean(s.w.secrets.Shown(s.query.Get("resource")))
	}
	return clean(s.w.secrets.Shown(s.w.resourceParameter()))
}

// effectsOf says how clients show an error of Entra ID.
func effectsOf(number int) []Effect {
	const onPage = "the browser shows Entra's error page, and the client waits until its timeout"
	const returned = "they report the error that Entra ID sends to their redirect URI"
	switch number {
	case 9010010, 901002:
		return []Effect{
			{"Claude, Cursor, Codex, Inspector, VS Code", "they always send resource, and report invalid_target"},
		}
	case 50011, 700016, 90002, 500113, 700038, 7000112, 90023, 900971, 90102:
		return everyClient(onPage)
	}
	return everyClient(returned)
}

func (s *issuerSeen) seesEntraError() string {
	all := entraErrors(s.places)
	if s.found != nil || len(all) == 0 {
		return ""
	}
	return "Entra ID answers: " + s.w.secrets.Shown(all[0].message)
}

func fixEntraError(s *issuerSeen) []Fix {
	_, fixes := explain(entraErrors(s.places)[0])
	return append(fixes, serverFix("AUTH_TENANT_ID=YOUR-TENANT-ID"))
}

func (s *entraAsked) seesOtherRedirect() string {
	back := s.query.Get("redirect_uri")
	which := differs(back, s.w.authorized.issuer.address)
	if which == none || which == otherPath || which == otherSlash {
		return ""
	}
	if back == ownRedirect || back == s.w.config.RedirectURI {
		return "the server passes the client's own redirect URI on to Entra ID"
	}
	if parsed, err := url.Parse(back); which == otherHost && err == nil && !isLocalName(parsed.Hostname()) {
		return "" // it may be another host of the same server; Entra ID says if it is not registered
	}
	return fmt.Sprintf("the server is at %s, and lets Entra ID send the browser back to %s",
		s.w.secrets.Shown(originOf(s.w.authorized.issuer.address)), s.w.secrets.Shown(back))
}

func (s *entraAsked) seesNoRefresh() string {
	scopes := strings.Fields(s.query.Get("scope"))
	if len(scopes) == 0 || slices.Contains(scopes, "offline_access") {
		return ""
	}
	return fmt.Sprintf("the server asks for the scopes %q, without offline_access",
		s.w.secrets.Shown(s.query.Get("scope")))
}

func (s *entraAsked) seesForcedConsent() string {
	if !slices.Contains(strings.Fields(s.query.Get("prompt")), "consent") {
		return ""
	}
	return "the server sends prompt=consent"
}

func (s *entraAsked) seesForwardedResource() string {
	if s.query.Get("resource") == "" {
		return ""
	}
	return fmt.Sprintf("the server passes resource=%q on to Entra ID", s.w.secrets.Shown(s.query.Get("resource")))
}

func (s *entraAsked) seesForwardedChallenge() string {
	if s.query.Get("code_challenge") != ownChallenge {
		return ""
	}
	return "the server passes the client's code_challenge on to Entra ID"
}

func (s *entraAsked) seesForwardedState() string {
	if s.query.Get("state") != ownState {
		return ""
	}
	return "the server passes the client's state on to Entra ID"
}

func (s *entraAsked) seesNoChallenge() string {
	if s.query.Get("code_challenge") != "" {
		return ""
	}
	return "the server sends no code_challenge to Entra ID"
}

// sharedTenants are path segments that name no tenant.
var sharedTenants = []string{"common", "organizations", "consumers"}

func (s *entraAsked) seesSharedTenant() string {
	segments := strings.Split(strings.Trim(s.at.Path, "/"), "/")
	if !slices.Contains(sharedTenants, segments[0]) {
		return ""
	}
	return fmt.Sprintf("the address at Entra ID has %s in place of a tenant", segments[0])
}
