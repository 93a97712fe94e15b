package fakeentra

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
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

// autoSignIn picks the person whom login_hint names, or else the first one.
func (f *Fake) autoSignIn(tenant *directory.Tenant, hint string) *signedIn {
	candidates := f.directory.Tenants
	if tenant != nil {
		candidates = []directory.Tenant{*tenant}
	}
	for i := range candidates {
		if user := candidates[i].User(hint); user != nil {
			return &signedIn{tenant: f.directory.Tenant(candidates[i].ID), user: user, at: f.now(), secondFactor: true}
		}
	}
	for i := range candidates {
		if len(candidates[i].Users) > 0 {
			return &signedIn{tenant: f.directory.Tenant(candidates[i].ID), user: &candidates[i].Users[0], at: f.now(), secondFactor: true}
		}
	}
	return nil
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

// pick is the account of this browser that a request is about: the one that login_hint names, or else the one that signed
// in last. Several reports that there are others, between which the request does not decide.
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

// signIn begins a session, or adds to the one of this browser. The session gets a new ID, so that one planted before is
// worth nothing.
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

// handleLogout ends the browser's session, tells the apps that were signed in to (OpenID Connect Front-Channel Logout),
// and leads back only to a redirect URI that some app of the tenant has registered (M).
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
	var frames []string
	if held := f.held(r); held != nil {
		f.mu.Lock()
		frames = f.logoutFrames(held)
		f.mu.Unlock()
		f.sessions.Remove(held.id)
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	}
	target := f.afterLogout(place, params)
	if target != "" && len(frames) == 0 {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
		return
	}
	policy := "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
	if len(frames) > 0 {
		policy += "; frame-src http: https:"
	}
	f.showWith(w, "logout.html", page{Title: "You signed out of your account", Redirect: target, Frames: frames}, policy)
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
		frames = append(frames, fmt.Sprintf("%s%ssid=%s&iss=%s", one.app.LogoutURL, separator, url.QueryEscape(one.sid), url.QueryEscape(f.Issuer(home.ID))))
	}
	return frames
}

// afterLogout is where a browser goes once it is signed out, or nowhere.
func (f *Fake) afterLogout(place *place, params url.Values) string {
	target := params.Get("post_logout_redirect_uri")
	if target == "" {
		return ""
	}
	tenants := f.directory.Tenants
	if place.tenant != nil {
		tenants = []directory.Tenant{*place.tenant}
	}
	for i := range tenants {
		for j := range tenants[i].Apps {
			if _, problem := f.matchRedirect(&tenants[i].Apps[j], target); problem != nil {
				continue
			}
			if state := params.Get("state"); state != "" {
				separator := "?"
				if strings.Contains(target, "?") {
					separator = "&"
				}
				target += separator + "state=" + url.QueryEscape(state)
			}
			return target
		}
	}
	return ""
}

// handleSignIn takes the sign-in page's form: whom somebody claims to be, and a password where that account has one.
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
	tenant, user := f.findUser(request.place, name)
	if user == nil {
		if problem := f.elsewhere(request, name); problem != nil {
			f.showError(w, r, problem)
			return
		}
	}
	if problem := f.checkPassword(user, form); problem != nil {
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

// findUser finds an account of the tenant, or of any that a shared endpoint serves.
func (f *Fake) findUser(place *place, name string) (*directory.Tenant, *directory.User) {
	if place.tenant != nil {
		return place.tenant, place.tenant.User(name)
	}
	for i := range f.directory.Tenants {
		tenant := &f.directory.Tenants[i]
		if place.segment == "organizations" && tenant.ID == directory.ConsumersTenantID {
			continue
		}
		if user := tenant.User(name); user != nil {
			return tenant, user
		}
	}
	return nil, nil
}

// elsewhere judges an account that a place does not serve but the directory knows: of another organization, or of the
// other kind.
func (f *Fake) elsewhere(request *authorization, name string) *aadsts.Error {
	for i := range f.directory.Tenants {
		home := &f.directory.Tenants[i]
		user := home.User(name)
		switch {
		case user == nil:
		case request.place.tenant == nil, home.Personal() != request.place.tenant.Personal() && request.place.segment == "consumers":
			return aadsts.WrongKindOfAccount()
		case home.Personal():
			return aadsts.UserOfElsewhere(user.UserPrincipalName, "live.com", request.place.tenant.DisplayName, request.params.Get("client_id"))
		default:
			return aadsts.UserOfElsewhere(user.UserPrincipalName, f.sts(home.ID), request.place.tenant.DisplayName, request.params.Get("client_id"))
		}
	}
	return nil
}

func (f *Fake) checkPassword(user *directory.User, form url.Values) *aadsts.Error {
	switch {
	case user == nil:
		return aadsts.UserNotFound(strings.TrimSpace(form.Get("account")), f.directory.Tenants[0].DisplayName)
	case user.Disabled:
		return aadsts.UserDisabled()
	case user.Locked:
		return aadsts.UserLocked()
	case user.Password != "" && form.Has("password") && !sameSecret(user.Password, form.Get("password")):
		return aadsts.WrongPassword()
	case user.PasswordExpired:
		return aadsts.PasswordExpired()
	}
	return nil
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
	person.secondFactor, person.at = true, f.now()
	request.tenant = person.tenant
	if done := f.read(w, r, request); done {
		return
	}
	f.signIn(w, r, *person)
	f.proceed(w, r, request, person)
}

// cancel is what Entra sends when somebody turns back at the sign-in page: a code, a subcode, and no description.
func (f *Fake) cancel(w http.ResponseWriter, r *http.Request, request *authorization) {
	if request.tenant == nil {
		request.tenant = &f.directory.Tenants[0]
		if app := f.anyApp(request.params.Get("client_id")); app != nil {
			request.tenant = f.directory.HomeOf(app)
		}
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
