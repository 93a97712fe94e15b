package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A redirect is where a real client wants its answer.
type redirect struct{ client, uri string }

// redirects are the redirect URIs of real clients. The ports of loopback URIs vary.
var redirects = []redirect{
	{"VS Code", "http://127.0.0.1:33418/"},
	{"VS Code on the web", "https://vscode.dev/redirect"},
	{"Claude", "https://claude.ai/api/mcp/auth_callback"},
	{"Claude Code", "http://localhost:3118/callback"},
	{"Cursor", "cursor://anysphere.cursor-mcp/oauth/callback"},
	{"Gemini CLI", "http://localhost:7777/oauth/callback"},
	{"Inspector", "http://localhost:6274/oauth/callback"},
}

// ownRedirect is the redirect URI of the walk's own request.
const ownRedirect = "http://localhost:3118/callback"

// A registration is a client that the walk has registered.
type registration struct {
	id        string
	manage    string // the address of RFC 7592, or ""
	token     string // for manage
	hasSecret bool
	redirects []string
}

// registered is what the step registration collects.
type registered struct {
	w        *walk
	endpoint string
	all      *answer            // to the registration with all redirect URIs
	own      *answer            // to the one with the walk's own redirect URI, if the first failed
	refused  map[string]*answer // by client, if its redirect URI alone is refused
	client   *registration
}

func (w *walk) registration(ctx context.Context, step *Step) bool {
	seen := &registered{w: w, refused: map[string]*answer{}}
	for _, issuer := range w.issuers {
		if seen.endpoint == "" {
			seen.endpoint = text(issuer.document, "registration_endpoint")
		}
	}
	switch {
	case seen.endpoint == "":
		step.fine("no-registration", "clients cannot register themselves")
		return true
	case w.config.ClientID != "":
		step.fine("registration-not-tried", "you gave a client ID, so the walk registers no client")
		return true
	case w.config.NoRegistration:
		step.fine("registration-not-tried", "the walk registers no client, as you asked")
		return true
	}
	w.tryRegistration(ctx, step, seen)
	diagnose(step, seen, registrationSymptoms)
	step.fine("registration-works", "clients can register themselves, with the redirect URIs of all known clients")
	w.registered = seen.client
	return true
}

// tryRegistration registers one client with the redirect URIs of all known clients. If that fails,
// it registers a client for each.
func (w *walk) tryRegistration(ctx context.Context, step *Step, seen *registered) {
	var uris []string
	for _, known := range redirects {
		uris = append(uris, known.uri)
	}
	seen.all, seen.client = w.register(ctx, seen.endpoint, uris)
	step.did("POST %s registers a client with the redirect URIs of all known clients: %s",
		w.secrets.Shown(seen.endpoint), w.says(seen.all))
	if seen.client != nil {
		return
	}
	seen.own, seen.client = w.register(ctx, seen.endpoint, []string{ownRedirect})
	step.did("POST with the redirect URI %s: %s", ownRedirect, w.says(seen.own))
	if seen.client == nil {
		return
	}
	for _, known := range redirects {
		if known.uri == ownRedirect {
			continue
		}
		one, _ := w.register(ctx, seen.endpoint, []string{known.uri})
		step.did("POST with the redirect URI of %s: %s", known.client, w.says(one))
		if one.status/100 != 2 {
			seen.refused[known.client] = one
		}
	}
}

// register registers a client. It returns nil if that failed.
func (w *walk) register(ctx context.Context, endpoint string, uris []string) (*answer, *registration) {
	body, err := json.Marshal(map[string]any{
		"client_name":                "mcp-auth-conformance doctor",
		"redirect_uris":              uris,
		"grant_types":                []string{"authorization_code", "refresh_token"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
	})
	if err != nil {
		return &answer{address: endpoint, header: http.Header{}, err: err}, nil
	}
	a := w.ask(ctx, question{
		method:  http.MethodPost,
		address: endpoint,
		header:  http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}},
		body:    string(body),
	})
	document := a.object()
	if a.status/100 != 2 || text(document, "client_id") == "" {
		return a, nil
	}
	made := &registration{
		id:        text(document, "client_id"),
		manage:    text(document, "registration_client_uri"),
		token:     text(document, "registration_access_token"),
		hasSecret: text(document, "client_secret") != "",
		redirects: list(document, "redirect_uris"),
	}
	w.secrets.Add(made.token, text(document, "client_secret"))
	if sameOrigin(made.manage, endpoint) && made.token != "" {
		w.made = append(w.made, made)
	}
	return a, made
}

// sameOrigin reports whether two URLs have one origin.
func sameOrigin(a, b string) bool {
	first, errFirst := url.Parse(a)
	second, errSecond := url.Parse(b)
	return errFirst == nil && errSecond == nil && first.Host != "" && first.Host == second.Host &&
		first.Scheme == second.Scheme
}

// cleanUp deletes the registered clients whose server allows it (RFC 7592).
func (w *walk) cleanUp(ctx context.Context, step *Step) {
	deleted := 0
	for _, made := range w.made {
		a := w.ask(ctx, question{
			method:  http.MethodDelete,
			address: made.manage,
			header:  http.Header{"Authorization": {"Bearer " + made.token}},
		})
		step.did("DELETE the registered client: %s", w.says(a))
		if a.err == nil && a.status/100 == 2 {
			deleted++
		}
	}
	switch {
	case deleted < len(w.made):
		step.fine("registration-kept", fmt.Sprintf("the server deleted %d of the %d clients that the walk registered; "+
			"the others may expire by themselves", deleted, len(w.made)))
	case deleted > 0:
		step.fine("registration-deleted", "the server has deleted the clients that the walk registered")
	case w.registered != nil:
		step.fine("registration-kept", "the server offers no way to delete the registered client "+
			w.secrets.Shown(w.registered.id)+"; it may expire by itself")
	}
}

// last returns the answer that decides about the registration.
func (s *registered) last() *answer {
	if s.own != nil {
		return s.own
	}
	return s.all
}

// seesRegistrationStatus returns a row's func for a refusal of every registration.
func seesRegistrationStatus(fits func(a *answer) bool) func(*registered) string {
	return func(s *registered) string {
		if s.client != nil || !fits(s.last()) {
			return ""
		}
		said := text(s.last().object(), "error")
		if description := text(s.last().object(), "error_description"); description != "" {
			said += ": " + description
		}
		if said != "" {
			said = "; it says " + s.w.secrets.Shown(said)
		}
		return "the registration gets " + s.w.says(s.last()) + said
	}
}

func (s *registered) seesRefusedRedirects() string {
	if len(s.refused) == 0 {
		return ""
	}
	var clients []string
	for _, known := range redirects {
		if s.refused[known.client] != nil {
			clients = append(clients, fmt.Sprintf("%s (%s)", known.client, known.uri))
		}
	}
	return "the server refuses the redirect URI of " + strings.Join(clients, ", ")
}

func (s *registered) seesSecret() string {
	if s.client == nil || !s.client.hasSecret {
		return ""
	}
	return "the client asked for the method none, and got a secret"
}

func (s *registered) seesOtherRedirects() string {
	if s.client == nil || len(s.client.redirects) == 0 || slices.Contains(s.client.redirects, ownRedirect) {
		return ""
	}
	return fmt.Sprintf("the client asked for the redirect URI %s, and got %s", ownRedirect,
		s.w.secrets.Shown(strings.Join(s.client.redirects, " ")))
}

var registrationSymptoms = []symptom[*registered]{
	{
		code:    "registration-not-found",
		kind:    Fault,
		seen:    seesRegistrationStatus(isMissing),
		why:     "The metadata names an address that does not exist. The proxy may not pass its path on.",
		effects: noRegistration,
		fixes:   fixRegistrationPath,
	},
	{
		code: "registration-needs-token",
		kind: Fault,
		seen: seesRegistrationStatus(isGuarded),
		why:  "Clients have no initial access token (RFC 7591 section 3).",
		effects: []Effect{
			{"Claude, Cursor, Inspector, VS Code, Codex", "the registration fails, and so does the sign-in"},
		},
		fixes: fixRegistrationToken,
	},
	{
		code:    "registration-limited",
		kind:    Fault,
		seen:    seesRegistrationStatus(isLimited),
		why:     "Hosted clients share a few addresses, so a limit for one address hurts all people.",
		effects: []Effect{{"Claude, Copilot", "new people cannot connect"}},
		fixes:   fixRegistrationLimit,
	},
	{
		code:    "registration-unreachable",
		kind:    Fault,
		seen:    seesRegistrationStatus(isBroken),
		why:     "The address of the registration gives no answer, or an error.",
		effects: noRegistration,
		fixes:   fixRegistrationPath,
	},
	{
		code:    "registration-refused",
		kind:    Fault,
		seen:    seesRegistrationStatus(isOtherEnd),
		why:     "The server refuses a registration like the one of real clients.",
		effects: noRegistration,
		fixes:   fixRegistrationRules,
	},
	{
		code:    "registration-redirect-refused",
		kind:    Warning,
		seen:    (*registered).seesRefusedRedirects,
		why:     "A client registers its own redirect URI. These clients cannot sign in here.",
		effects: []Effect{{"the named clients", "the registration fails with invalid_redirect_uri"}},
		fixes:   fixRegistrationRules,
	},
	{
		code:    "registration-changes-redirect",
		kind:    Fault,
		seen:    (*registered).seesOtherRedirects,
		why:     "The server registered other redirect URIs, so the answer never reaches the client.",
		effects: noRegistration,
		fixes:   fixRegistrationRules,
	},
	{
		code:    "registration-forces-secret",
		kind:    Warning,
		seen:    (*registered).seesSecret,
		why:     "Some clients ignore the secret, because they asked for none, and the token request then fails.",
		effects: []Effect{{"Codex, VS Code", "they send no secret"}},
		fixes:   fixAuthMethod,
	},
}

// noRegistration are the effects of a registration that fails.
var noRegistration = []Effect{
	{"Claude, Cursor, Inspector, Codex, Gemini CLI", "the registration fails, and so does the sign-in"},
	{"VS Code, Copilot", "they ask the person for a client ID"},
}

func isMissing(a *answer) bool {
	return isAbsent(a) || a.status == http.StatusMethodNotAllowed || a.isRedirect() || a.status == 200 && a.isPage()
}

func isLimited(a *answer) bool { return a.status == http.StatusTooManyRequests }

func isOtherEnd(a *answer) bool {
	return !isMissing(a) && !isGuarded(a) && !isLimited(a) && !isBroken(a)
}

func fixRegistrationPath(s *registered) []Fix {
	path := "/register"
	if parsed, err := url.Parse(s.endpoint); err == nil && parsed.Path != "" {
		path = clean(s.w.secrets.Shown(parsed.EscapedPath()))
	}
	return []Fix{
		nginxFix("location = "+path+" {", "\tproxy_pass http://localhost:8000;   # no path after the port", "}"),
		caddyFix("handle "+path+" {", "\treverse_proxy localhost:8000", "}"),
	}
}

func fixRegistrationToken(*registered) []Fix {
	return []Fix{
		serverFix("AUTH_REGISTRATION=open"),
		nginxFix("auth_basic off;   # for /register, too"),
	}
}

func fixRegistrationLimit(*registered) []Fix {
	return []Fix{serverFix("MCP_REGISTRATIONS_PER_MINUTE=600\nMCP_TRUSTED_PROXIES=THE-ADDRESS-OF-THE-PROXY")}
}

func fixRegistrationRules(*registered) []Fix {
	return []Fix{
		serverFix("AUTH_REGISTRATION_REDIRECTS=localhost, claude.ai, vscode.dev\nAUTH_PRIVATE_USE_REDIRECTS=known"),
		codeFix("accept http redirect URIs on loopback with any port, and https ones of the clients that you want"),
	}
}

func fixAuthMethod(*registered) []Fix {
	return []Fix{codeFix("register the client with \"token_endpoint_auth_method\": \"none\", as it asks")}
}
