package fakeentra

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

const sessionCookie = "ESTSAUTH"

// How many people one browser may be signed in as, and how many apps are told when it signs out.
const (
	maxAccounts   = 10
	maxSignedApps = 20
)

// A session is a browser in which people have signed in, most recent first. Fake.mu guards it.
type session struct {
	id    string
	users []signedIn
	apps  []signedApp
}

// A signedApp is an app that somebody signed in to, to be told at sign-out.
type signedApp struct {
	app *directory.App
	sid string
}

// A signedIn is a person who is signed in in a browser.
type signedIn struct {
	tenant       *directory.Tenant
	user         *directory.User
	at           time.Time
	secondFactor bool
}

// held finds the session of a browser.
func (f *Fake) held(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	found, _ := f.sessions.Get(cookie.Value)
	return found
}

// signedIn is the person who signed in last in this browser, of one tenant or of any, or nil.
func (f *Fake) signedIn(r *http.Request, tenant *directory.Tenant) *signedIn {
	held := f.held(r)
	if held == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range held.users {
		if (tenant == nil || one.tenant == tenant) && !one.user.Disabled {
			return &one
		}
	}
	return nil
}

// pick is the account of this browser that a request is about: the one that login_hint names, or
// else the one that signed in last. Several reports that there are others, between which the
// request does not decide.
func (f *Fake) pick(r *http.Request, tenant *directory.Tenant, hint string) (person *signedIn, several bool) {
	held := f.held(r)
	if held == nil {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, one := range held.users {
		switch {
		case tenant != nil && one.tenant != tenant, one.user.Disabled:
		case hint != "" && strings.EqualFold(hint, one.user.UserPrincipalName):
			// The pages that follow are about whoever is first.
			held.users = slices.Insert(slices.Delete(slices.Clone(held.users), i, i+1), 0, one)
			return &one, false
		case hint == "" && person == nil:
			person = &one
		case hint == "":
			several = true
		}
	}
	return person, several
}

// signIn begins a session, or adds to the one of this browser. The session gets a new ID, so that
// one planted before is worth nothing.
func (f *Fake) signIn(w http.ResponseWriter, r *http.Request, person signedIn) {
	next := &session{id: base64.RawURLEncoding.EncodeToString(f.random(32)), users: []signedIn{person}}
	if held := f.held(r); held != nil {
		f.mu.Lock()
		for _, one := range held.users {
			if one.user != person.user && len(next.users) < maxAccounts {
				next.users = append(next.users, one)
			}
		}
		next.apps = held.apps
		f.mu.Unlock()
		f.sessions.Remove(held.id)
	}
	f.sessions.Add(next.id, next)
	cookie := &http.Cookie{
		Name: sessionCookie, Value: next.id, Path: "/", HttpOnly: true,
		Secure: strings.HasPrefix(f.authority, "https:"), SameSite: sameSite(f.authority),
	}
	http.SetCookie(w, cookie)
	// What follows in this request sees the new session.
	r.Header.Del("Cookie")
	r.AddCookie(cookie)
}

// sameSite is None as at Entra where that is possible, which is over TLS only.
func sameSite(authority string) http.SameSite {
	if strings.HasPrefix(authority, "https:") {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// remembersApp notes which app a browser signed in to.
func (f *Fake) remembersApp(r *http.Request, app *directory.App, sid string) {
	held := f.held(r)
	if held == nil || app.LogoutURL == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(held.apps) < maxSignedApps {
		held.apps = append(slices.Clone(held.apps), signedApp{app, sid})
	}
}

// handleLogout ends the browser's session, tells the apps that were signed in to (OpenID Connect
// Front-Channel Logout), and leads back only to a redirect URI that some app of the tenant has
// registered (M).
func (f *Fake) handleLogout(w http.ResponseWriter, r *http.Request) {
	params, problem := f.parameters(r)
	if problem != nil {
		f.showError(w, r, problem)
		return
	}
	place, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		f.showError(w, r, problem)
		return
	}
	var frames []string
	if held := f.held(r); held != nil {
		f.mu.Lock()
		frames = f.logoutFrames(held)
		f.mu.Unlock()
		f.sessions.Remove(held.id)
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	}
	target := f.rules.AfterLogout(place.Tenant, params.Get("post_logout_redirect_uri"), params.Get("state"))
	if target != "" && len(frames) == 0 {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
		return
	}
	policy := "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
	if len(frames) > 0 {
		policy += "; frame-src http: https:"
	}
	f.showWith(w, "logout.html", page{
		Title:    "You signed out of your account",
		Redirect: target,
		Frames:   frames,
	}, policy)
}

func (f *Fake) logoutFrames(held *session) []string {
	var frames []string
	for _, one := range held.apps {
		separator := "?"
		if strings.Contains(one.app.LogoutURL, "?") {
			separator = "&"
		}
		home := f.directory.HomeOf(one.app)
		if home == nil {
			continue
		}
		frames = append(
			frames,
			fmt.Sprintf(
				"%s%ssid=%s&iss=%s",
				one.app.LogoutURL,
				separator,
				url.QueryEscape(one.sid),
				url.QueryEscape(f.Issuer(home.ID)),
			),
		)
	}
	return frames
}

// handleSignIn takes the sign-in page's form: whom somebody claims to be, and a password where that
// account has one.
func (f *Fake) handleSignIn(w http.ResponseWriter, r *http.Request) {
	request, form, done := f.readForm(w, r)
	if done {
		return
	}
	if form.Get("answer") == "cancel" {
		f.cancel(w, r, request)
		return
	}
	name := strings.TrimSpace(form.Get("account"))
	tenant, user := f.rules.FindUser(request.place, name)
	if user == nil {
		if problem := f.rules.ForeignAccount(request.place, request.params.Get("client_id"), name); problem != nil {
			f.showError(w, r, problem)
			return
		}
	}
	if problem := f.rules.CheckPassword(user, form); problem != nil {
		switch {
		case user == nil || problem.Number == 50057 || problem.Number == 50053 || problem.Number == 50055:
			f.showSignIn(w, r, request, problem.Error())
		default:
			f.showPassword(w, r, request, user, problem.Error())
		}
		return
	}
	if user.Password != "" && !form.Has("password") {
		f.showPassword(w, r, request, user, "")
		return
	}
	request.tenant = tenant
	if done := f.read(w, r, request); done {
		return
	}
	person := signedIn{tenant: tenant, user: user, at: f.now()}
	f.signIn(w, r, person)
	f.proceed(w, r, request, &person)
}

// handleSecondFactor takes the confirmation of somebody of whom a policy wants a second factor.
func (f *Fake) handleSecondFactor(w http.ResponseWriter, r *http.Request) {
	request, form, done := f.readForm(w, r)
	if done {
		return
	}
	person := f.signedIn(r, request.tenant)
	switch {
	case person == nil:
		f.showSignIn(w, r, request, "")
		return
	case form.Get("answer") != "approve":
		f.cancel(w, r, request)
		return
	}
	person.secondFactor = true
	person.at = f.now()
	request.tenant = person.tenant
	if done := f.read(w, r, request); done {
		return
	}
	f.signIn(w, r, *person)
	f.proceed(w, r, request, person)
}

// cancel is what Entra sends when somebody turns back at the sign-in page: a code, a subcode, and
// no description.
func (f *Fake) cancel(w http.ResponseWriter, r *http.Request, request *authorization) {
	if request.tenant == nil {
		request.tenant = f.rules.HomeOf(request.params.Get("client_id"))
	}
	if done := f.read(w, r, request); done {
		return
	}
	if request.kind == byDevice {
		f.declineDevice(w, r, request)
		return
	}
	result := []parameter{{"error", "access_denied"}, {"error_subcode", "cancel"}}
	if request.params.Has("state") {
		result = append(result, parameter{"state", request.params.Get("state")})
	}
	f.respond(w, r, request, f.withIssuer(request, result))
}
