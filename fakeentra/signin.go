package fakeentra

import (
	"bytes"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

const sessionCookie = "ESTSAUTH"

// maxAccounts is how many people one browser may be signed in as.
const maxAccounts = 10

// signedIn is the person of the tenant who signed in last in this browser, or nil.
func (f *Fake) signedIn(r *http.Request, tenant *directory.Tenant) *directory.User {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	held, found := f.sessions.Get(cookie.Value)
	if !found {
		return nil
	}
	for _, one := range held.users {
		if user := tenant.User(one.userID); one.tenantID == tenant.ID && user != nil && !user.Disabled {
			return user
		}
	}
	return nil
}

// signIn begins a session, or adds to the one of this browser. The session gets a new ID, so that one planted before is
// worth nothing.
func (f *Fake) signIn(w http.ResponseWriter, r *http.Request, tenant *directory.Tenant, user *directory.User) {
	now := signedIn{tenant.ID, user.ID, f.now()}
	next := &session{id: base64.RawURLEncoding.EncodeToString(f.random(32)), users: []signedIn{now}}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if held, found := f.sessions.Get(cookie.Value); found {
			for _, one := range held.users {
				if one.userID != user.ID && len(next.users) < maxAccounts {
					next.users = append(next.users, one)
				}
			}
			f.sessions.Remove(cookie.Value)
		}
	}
	f.sessions.Add(next.id, next)
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: next.id, Path: "/", HttpOnly: true,
		Secure: strings.HasPrefix(f.authority, "https:"), SameSite: sameSite(f.authority),
	})
}

// sameSite is None as at Entra where that is possible, which is over TLS only.
func sameSite(authority string) http.SameSite {
	if strings.HasPrefix(authority, "https:") {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// handleSignIn takes the sign-in page's form: whom somebody claims to be, and a password where that account has one.
func (f *Fake) handleSignIn(w http.ResponseWriter, r *http.Request) {
	request, done := f.readForm(w, r)
	if done {
		return
	}
	if r.PostForm.Get("answer") == "cancel" {
		f.cancel(w, r, request)
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("account"))
	user := request.tenant.User(name)
	switch {
	case user == nil:
		f.showSignIn(w, r, request, aadsts.UserNotFound(name, request.tenant.DisplayName).Error())
	case user.Disabled:
		f.showSignIn(w, r, request, aadsts.UserDisabled().Error())
	case user.Password != "" && !r.PostForm.Has("password"):
		f.showPassword(w, r, request, user, "")
	case user.Password != "" && subtle.ConstantTimeCompare([]byte(user.Password), []byte(r.PostForm.Get("password"))) != 1:
		f.showPassword(w, r, request, user, aadsts.WrongPassword().Error())
	default:
		f.signIn(w, r, request.tenant, user)
		if slices.Contains(strings.Fields(request.params.Get("prompt")), "consent") || !f.consented(request, user) {
			f.showConsent(w, r, request, user)
			return
		}
		f.answer(w, r, request, user)
	}
}

// handleConsent takes the consent page's form.
func (f *Fake) handleConsent(w http.ResponseWriter, r *http.Request) {
	request, done := f.readForm(w, r)
	if done {
		return
	}
	user := f.signedIn(r, request.tenant)
	switch {
	case user == nil:
		f.showSignIn(w, r, request, "")
	case r.PostForm.Get("answer") == "accept":
		f.remember(request, user)
		f.answer(w, r, request, user)
	default:
		f.redirectError(w, r, request, aadsts.ConsentDeclined())
	}
}

// readForm reads the form of one of the fake's own pages. The authorization request travels along in the address of the
// form and is judged again, so that nothing is taken on trust from the page.
func (f *Fake) readForm(w http.ResponseWriter, r *http.Request) (*authorization, bool) {
	if err := r.ParseForm(); err != nil {
		f.showError(w, r, aadsts.Malformed())
		return nil, true
	}
	form := r.PostForm
	r.Form = r.URL.Query()
	r.PostForm = url.Values{}
	request, done := f.readAuthorization(w, r)
	r.PostForm = form
	return request, done
}

// cancel is what Entra sends when somebody turns back at the sign-in page: a code, a subcode, and no description.
func (f *Fake) cancel(w http.ResponseWriter, r *http.Request, request *authorization) {
	result := []parameter{{"error", "access_denied"}, {"error_subcode", "cancel"}}
	if request.params.Has("state") {
		result = append(result, parameter{"state", request.params.Get("state")})
	}
	f.respond(w, r, request, result)
}

// A page is what the templates are given.
type page struct {
	Title     string
	Tenant    *directory.Tenant
	Client    *directory.App
	Action    string
	Accounts  []directory.User
	Hint      string
	User      *directory.User
	Scopes    []string
	Problem   string
	Redirect  string
	Result    []parameter
	Error     *pageError
	Documents []string
}

type pageError struct {
	Message, TraceID, CorrelationID, Timestamp string
	Number                                     int
	Config                                     errorConfig
}

// errorConfig is the part of an error page that scripts read.
type errorConfig struct {
	Main        string `json:"strMainMessage"`
	Service     string `json:"strServiceExceptionMessage"`
	HTTPCode    int    `json:"iHttpErrorCode"`
	Code        int    `json:"iErrorCode"`
	Correlation string `json:"correlationId"`
	Session     string `json:"sessionId"`
}

func (f *Fake) showSignIn(w http.ResponseWriter, r *http.Request, request *authorization, problem string) {
	accounts := request.tenant.Users
	if len(accounts) > 50 {
		accounts = accounts[:50]
	}
	f.show(w, "signin.html", page{
		Title: "Sign in", Tenant: request.tenant, Client: request.client, Action: f.action(request, "login"),
		Accounts: accounts, Hint: request.params.Get("login_hint"), Problem: problem,
	})
}

func (f *Fake) showPassword(w http.ResponseWriter, r *http.Request, request *authorization, user *directory.User, problem string) {
	f.show(w, "password.html", page{
		Title: "Enter password", Tenant: request.tenant, Client: request.client, Action: f.action(request, "login"), User: user, Problem: problem,
	})
}

func (f *Fake) showConsent(w http.ResponseWriter, r *http.Request, request *authorization, user *directory.User) {
	var words []string
	for _, one := range request.asked.oidc {
		words = append(words, graphApp.ScopeNamed(one).DisplayName)
	}
	for _, group := range request.asked.groups {
		for _, name := range group.names {
			words = append(words, group.app.ScopeNamed(name).DisplayName)
		}
		if group.everyone {
			words = append(words, "What the app was granted on "+group.app.DisplayName)
		}
	}
	f.show(w, "consent.html", page{
		Title: "Permissions requested", Tenant: request.tenant, Client: request.client, Action: f.action(request, "consent"),
		User: user, Scopes: slices.Compact(words),
	})
}

// action is the address of a page's form. It carries the authorization request.
func (f *Fake) action(request *authorization, step string) string {
	return "/" + request.tenant.ID + "/" + step + "?" + request.params.Encode()
}

func (f *Fake) showFormPost(w http.ResponseWriter, target string, result []parameter) {
	// The form goes to the client's site, and the script that sends it stands in the page, as at Entra.
	f.showWith(w, "formpost.html", page{Title: "Working…", Redirect: target, Result: result},
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'")
}

// showError is Entra's error page: status 200, the number in a script variable, and no way back to an address that may
// not be the client's.
func (f *Fake) showError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	noteProblem(w, problem)
	o := f.occurrence(w, r)
	f.showWith(w, "error.html", page{Title: "Sign in to your account", Error: &pageError{
		Message: problem.Error(), Number: problem.Number, TraceID: o.TraceID, CorrelationID: o.CorrelationID,
		Timestamp: o.Time.UTC().Format("2006-01-02 15:04:05Z"),
		Config: errorConfig{
			Main: "We couldn't sign you in", Service: problem.Error(), HTTPCode: problem.Status, Code: problem.Number,
			Correlation: o.CorrelationID, Session: o.TraceID,
		},
	}}, "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'")
}

func (f *Fake) show(w http.ResponseWriter, name string, data page) {
	f.showWith(w, name, data, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
}

func (f *Fake) showWith(w http.ResponseWriter, name string, data page, policy string) {
	noStore(w)
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	data.Documents = f.discoveryAddresses()
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, name, data); err != nil {
		panic(err) // our own templates
	}
	_, _ = w.Write(text.Bytes())
}

// handleLogout ends the browser's session. It leads back only to a redirect URI that some app of the tenant has
// registered.
func (f *Fake) handleLogout(w http.ResponseWriter, r *http.Request) {
	params, problem := f.parameters(r)
	if problem != nil {
		f.showError(w, r, problem)
		return
	}
	place, problem := f.place(r)
	if problem != nil {
		f.showError(w, r, problem)
		return
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		f.sessions.Remove(cookie.Value)
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	}
	target := params.Get("post_logout_redirect_uri")
	if target != "" && place.tenant != nil {
		for i := range place.tenant.Apps {
			if _, problem := matchRedirect(&place.tenant.Apps[i], target); problem == nil {
				separator := "?"
				if strings.Contains(target, "?") {
					separator = "&"
				}
				if state := params.Get("state"); state != "" {
					target += fmt.Sprintf("%sstate=%s", separator, url.QueryEscape(state))
				}
				w.Header().Set("Location", target)
				w.WriteHeader(http.StatusFound)
				return
			}
		}
	}
	f.show(w, "message.html", page{Title: "You signed out of your account"})
}

func (f *Fake) handleFrontPage(w http.ResponseWriter, r *http.Request) {
	f.show(w, "front.html", page{Title: "A fake of Microsoft Entra ID"})
}

// discoveryAddresses are those of the discovery documents, for the page at the root.
func (f *Fake) discoveryAddresses() []string {
	var all []string
	for _, tenant := range f.directory.Tenants {
		all = append(all, f.authority+"/"+tenant.ID+"/v2.0/.well-known/openid-configuration")
	}
	return all
}
