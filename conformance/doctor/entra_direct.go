package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// askDirectly sends Entra ID the requests of clients that sign in there themselves.
func (w *walk) askDirectly(ctx context.Context, step *Step, issuer *issuerSeen) {
	seen := &entraAsked{w: w, issuer: issuer, at: issuer.address, client: w.config.ClientID}
	if seen.client == "" {
		seen.client = clientInScopes(w.scopes())
		seen.inferred = seen.client != ""
	}
	if seen.client != "" {
		seen.askAsClients(ctx, step)
	}
	diagnose(step, seen, directSymptoms)
	seen.report(step)
}

// identifierGUID matches the application ID in an identifier URI.
var identifierGUID = regexp.MustCompile(`^api://([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/`)

// clientInScopes returns the application ID in a scope. Many deployments have one registration for
// the API and its clients.
func clientInScopes(scopes []string) string {
	for _, scope := range scopes {
		if found := identifierGUID.FindStringSubmatch(scope); found != nil {
			return found[1]
		}
	}
	return ""
}

// aboutRedirect are errors that depend on the redirect URI.
var aboutRedirect = []int{50011, 500113, 900971, 90102}

// aboutClient are errors that say nothing if the client ID is a guess.
var aboutClient = []int{700016, 700038, 7000112, 50011, 500113}

// aboutResource are errors that a request without resource does not get.
var aboutResource = []int{9010010, 901002}

// askAsClients looks for a redirect URI that is registered, and sends the request of a client that
// follows MCP. If Entra ID refuses its resource, it sends the request without, to see what else is
// wrong.
func (s *entraAsked) askAsClients(ctx context.Context, step *Step) {
	tried := redirects
	if s.w.config.RedirectURI != "" {
		tried = []redirect{{"the given client", s.w.config.RedirectURI}}
	}
	tried = append(slices.Clone(tried), redirect{"a client on this machine", "http://localhost"},
		redirect{"a client on this machine with a path", "http://localhost/callback"})
	good := ""
	for _, one := range tried {
		isExtra := one.client != "the given client" && !slices.Contains(redirects, one)
		if isExtra && good != "" {
			continue
		}
		found := s.silently(ctx, step, one)
		switch {
		case found == nil || !slices.Contains(aboutRedirect, found.number):
			s.fitting = append(s.fitting, one.client)
			if good == "" {
				good = one.uri
			}
		case !isExtra:
			s.missing = append(s.missing, one)
		}
		if found != nil && slices.Contains(aboutClient, found.number) && !slices.Contains(aboutRedirect, found.number) {
			s.keepUnlessGuessed(*found)
			return
		}
		if found != nil && len(s.fitting) == 0 && one == tried[len(tried)-1] {
			s.keepUnlessGuessed(*found)
		}
	}
	if good == "" {
		return
	}
	request := s.w.requestFor(s.issuer, s.client, good, s.w.resourceParameter())
	if request == nil {
		return
	}
	found := s.probe(ctx, step, "The request of a client that follows MCP", request)
	if found != nil && slices.Contains(aboutResource, found.number) {
		s.probe(ctx, step, "The same without resource", s.w.requestFor(s.issuer, s.client, good, ""))
	}
}

// silently asks whether a redirect URI is registered. It keeps no error.
func (s *entraAsked) silently(ctx context.Context, step *Step, one redirect) *entraError {
	request := s.w.requestFor(s.issuer, s.client, one.uri, "")
	if request == nil {
		return nil
	}
	other := &entraAsked{w: s.w}
	return other.probe(ctx, step, "The redirect URI of "+one.client, request)
}

func (s *entraAsked) keepUnlessGuessed(found entraError) {
	if !s.inferred {
		s.keep(found)
	}
}

func (s *entraAsked) seesNoClient() string {
	if s.client != "" {
		return ""
	}
	return "without a client ID, the walk cannot send requests to Entra ID; give one with --client-id"
}

func (s *entraAsked) seesGuess() string {
	if !s.inferred {
		return ""
	}
	return fmt.Sprintf("the walk took the client ID %s from a scope; give the real one with --client-id", s.client)
}

func (s *entraAsked) seesDirect() string {
	return "clients sign in at Entra ID itself, which has no registration, and whose metadata lists no PKCE methods"
}

func (s *entraAsked) seesMissingRedirects() string {
	if len(s.missing) == 0 || len(s.fitting) == 0 {
		return ""
	}
	var names []string
	for _, one := range s.missing {
		names = append(names, one.client)
	}
	return "the registration lacks the redirect URIs of " + strings.Join(names, ", ")
}

// known are scopes of OpenID Connect, and short names of Microsoft Graph, which need no prefix.
var openIDScopes = []string{"openid", "profile", "email", "offline_access"}

func (s *entraAsked) seesBareScope() string {
	for _, scope := range s.w.scopes() {
		isGraph := strings.Contains(scope, ".") && scope[0] >= 'A' && scope[0] <= 'Z'
		if !strings.Contains(scope, "/") && !slices.Contains(openIDScopes, scope) && !isGraph {
			return fmt.Sprintf("the scope %q has no identifier URI before it", s.w.secrets.Shown(scope))
		}
	}
	return ""
}

// resourceOf returns the identifier of the resource in a scope, or "" for a scope without one.
func resourceOf(scope string) string {
	cut := strings.LastIndexByte(scope, '/')
	if cut < 0 || slices.Contains(openIDScopes, scope) {
		return ""
	}
	return scope[:cut]
}

func (s *entraAsked) seesTwoResources() string {
	first := ""
	for _, scope := range s.w.scopes() {
		resource := resourceOf(scope)
		if first != "" && resource != "" && resource != first {
			return fmt.Sprintf("the server lists scopes of %s and of %s", s.w.secrets.Shown(first),
				s.w.secrets.Shown(resource))
		}
		first = cmp.Or(first, resource)
	}
	return ""
}

func (s *entraAsked) seesNoOffline() string {
	scopes := s.w.scopes()
	if len(scopes) == 0 || slices.Contains(scopes, "offline_access") {
		return ""
	}
	return "the scopes of the server have no offline_access"
}

// fullScope returns a scope with the identifier URI of the API.
func (s *entraAsked) fullScope(scope string) string {
	if strings.Contains(scope, "/") {
		return scope
	}
	return "api://" + s.identifier() + "/" + scope
}

func (s *entraAsked) identifier() string {
	if s.client == "" {
		return "YOUR-API-ID"
	}
	return s.client
}

var directSymptoms = []symptom[*entraAsked]{
	{
		code: "entra-direct",
		kind: Warning,
		seen: (*entraAsked).seesDirect,
		why: "Each client needs an application ID of the tenant in its settings, and must go on without " +
			"code_challenge_methods_supported.",
		effects: []Effect{
			{"Claude, Cursor, Inspector", "without a client ID: “does not support dynamic client registration”"},
			{"clients with the Go or C# SDK", "they refuse metadata without PKCE methods"},
			{"VS Code", "it uses its own application, or asks for a client ID"},
		},
		fixes: fixDirect,
	},
	{
		code:    "entra-client-unknown",
		kind:    Warning,
		seen:    (*entraAsked).seesNoClient,
		why:     "Entra ID checks the client first.",
		effects: everyClient("they need the ID in their settings"),
		fixes:   fixClientID,
	},
	{
		code:    "entra-client-guessed",
		kind:    Warning,
		seen:    (*entraAsked).seesGuess,
		why:     "The registration of the API may differ from the registration of the clients.",
		effects: everyClient("they need the ID in their settings"),
		fixes:   fixClientID,
	},
	{
		code: "entra-redirect-uris-missing",
		kind: Warning,
		seen: (*entraAsked).seesMissingRedirects,
		why:  "Entra ID sends the browser back only to registered addresses.",
		effects: []Effect{
			{"the named clients", "the browser shows AADSTS50011"},
		},
		fixes: fixRedirectURIs,
	},
	{
		code: "scope-without-identifier",
		kind: Fault,
		seen: (*entraAsked).seesBareScope,
		why: "Entra ID takes a scope without identifier URI for one of Microsoft Graph, and answers AADSTS650053 " +
			"after the sign-in, or AADSTS9010010 before it.",
		effects: everyClient("they ask for exactly the scopes that the server lists, and the sign-in fails"),
		fixes:   fixBareScope,
	},
	{
		code: "scopes-of-two-resources",
		kind: Fault,
		seen: (*entraAsked).seesTwoResources,
		why: "A token is for one resource. Entra ID answers AADSTS28000 to the token request that follows the " +
			"sign-in, or AADSTS9010010 before it.",
		effects: everyClient("they ask for all scopes that the server lists, and the sign-in fails"),
		fixes:   fixTwoResources,
	},
	{
		code:    "scopes-without-refresh",
		kind:    Warning,
		seen:    (*entraAsked).seesNoOffline,
		why:     "Clients ask for the listed scopes, and Entra ID gives a refresh token only for offline_access.",
		effects: everyClient("the person signs in again after 60 to 90 minutes, unless the client adds the scope"),
		fixes:   fixListedScopes,
	},
	{
		code:    "entra-shared-tenant",
		kind:    Warning,
		seen:    (*entraAsked).seesSharedTenant,
		why:     "Entra ID then reports most faults only after the person has signed in, so the walk cannot see them.",
		effects: everyClient("they refuse the issuer, which is a template, or people of all tenants sign in"),
		fixes:   fixSharedTenant,
	},
}

func fixDirect(*entraAsked) []Fix {
	return []Fix{
		serverFix("AUTH_MODE=broker   # clients register at mcp-entra-server, which talks to Entra ID"),
		{ClientSetting, "the settings of each client", "the Application (client) ID of its app registration"},
	}
}

func fixClientID(*entraAsked) []Fix {
	return []Fix{{PortalPage, "Entra admin center > App registrations > the client > Overview",
		"Application (client) ID, for --client-id and for the settings of each client"}}
}

func fixRedirectURIs(s *entraAsked) []Fix {
	var lines []string
	for _, one := range s.missing {
		platform := "Mobile and desktop applications"
		if parsed, err := url.Parse(one.uri); err == nil && parsed.Scheme == "https" {
			platform = "Web"
		}
		lines = append(lines, platform+": "+one.uri)
	}
	return []Fix{{PortalPage, "Entra admin center > App registrations > the client > Authentication",
		strings.Join(lines, "\n")}}
}

func fixBareScope(s *entraAsked) []Fix {
	var full []string
	for _, scope := range s.w.scopes() {
		full = append(full, clean(s.w.secrets.Shown(s.fullScope(scope))))
	}
	return []Fix{
		codeFix("\"scopes_supported\": [\"" + strings.Join(full, "\", \"") + "\"]"),
		serverFix("AUTH_MODE=broker"),
	}
}

// fixTwoResources keeps the scopes of the first resource that is not Microsoft Graph.
func fixTwoResources(s *entraAsked) []Fix {
	kept := ""
	var scopes []string
	for _, scope := range s.w.scopes() {
		resource := resourceOf(scope)
		if resource == "" || strings.HasPrefix(resource, "https://graph.microsoft.") {
			continue
		}
		kept = cmp.Or(kept, resource)
		if resource == kept {
			scopes = append(scopes, clean(s.w.secrets.Shown(scope)))
		}
	}
	return []Fix{
		codeFix("\"scopes_supported\": [\"" + strings.Join(scopes, "\", \"") + "\"]"),
		codeFix("get a token for the other resource on behalf of the person (the grant jwt-bearer)"),
	}
}

func fixListedScopes(*entraAsked) []Fix {
	return []Fix{codeFix("add \"offline_access\" to scopes_supported, and to scope in the challenge")}
}
