package fakeentra

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

const sessionCookie = "ESTSAUTH"

// sessionOf returns the ID of the browser's session, or nothing.
func sessionOf(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// signIn starts a session, or adds a person to the browser's session. The session gets a new ID.
func (f *Fake) signIn(w http.ResponseWriter, r *http.Request, person state.SignedIn) {
	id := base64.RawURLEncoding.EncodeToString(f.random.bytes(32))
	f.state.SignIn(sessionOf(r), id, person)
	cookie := &http.Cookie{
		Name:     sessionCookie,
		Value:    id,
		Path:     "/",
		HttpOnly: true,
		Secure:   strings.HasPrefix(f.authority, "https:"),
		SameSite: sameSite(f.authority),
	}
	http.SetCookie(w, cookie)
	// The rest of this request sees the new session.
	r.Header.Del("Cookie")
	r.AddCookie(cookie)
}

// SignIn signs a person in to a browser, as if the person had passed the sign-in page and a second
// factor. User is an object ID or a user principal name. The apps of this browser then get the
// person without a question. The error says that the directory has no account of this name, or
// that its sign-in is blocked.
func (f *Fake) SignIn(w http.ResponseWriter, r *http.Request, user string) error {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	for i := range f.directory.Tenants {
		tenant := &f.directory.Tenants[i]
		found := tenant.User(user)
		switch {
		case found == nil:
			continue
		case found.Disabled, found.Locked, found.PasswordExpired:
			return fmt.Errorf("fakeentra: sign in: %s cannot sign in: the account is disabled or locked, "+
				"or its password has expired", found.UserPrincipalName)
		}
		f.signIn(w, r, state.SignedIn{Tenant: tenant, User: found, At: f.clock.now(), SecondFactor: true})
		return nil
	}
	return fmt.Errorf("fakeentra: sign in: the directory has no user %q", user)
}

// SignedIn returns the user principal name of the person who signed in last in a browser, or
// nothing.
func (f *Fake) SignedIn(r *http.Request) string {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	if person := f.state.SignedIn(sessionOf(r), nil); person != nil {
		return person.User.UserPrincipalName
	}
	return ""
}

// sameSite returns None over TLS, like Entra ID. Browsers refuse None without TLS.
func sameSite(authority string) http.SameSite {
	if strings.HasPrefix(authority, "https:") {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// handleLogout ends the session of the browser and tells its apps (OpenID Connect Front-Channel
// Logout). It redirects only to a redirect URI that an app of the tenant registered (M).
func (f *Fake) handleLogout(w http.ResponseWriter, r *http.Request) *pageError {
	params, problem := parameters(r)
	if problem != nil {
		return asPage(problem)
	}
	path, problem := f.rules.TenantPath(r.PathValue("tenant"))
	if problem != nil {
		return asPage(problem)
	}
	var frames []string
	if apps, found := f.state.SignOut(sessionOf(r)); found {
		frames = logoutFrames(&f.rules, apps)
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1})
	}
	target := f.rules.AfterLogout(path.Tenant, params.Get("post_logout_redirect_uri"), params.Get("state"))
	if target != "" && len(frames) == 0 {
		w.Header().Set("Location", target)
		w.WriteHeader(http.StatusFound)
		return nil
	}
	pages.Show(w, "logout.html", pages.Page{
		Title:    "You signed out of your account",
		Redirect: target,
		Frames:   frames,
	})
	return nil
}

// logoutFrames lists the addresses that tell the apps of a session about its end.
func logoutFrames(entra *rules.Rules, apps []state.SignedApp) []string {
	var frames []string
	for _, signed := range apps {
		separator := "?"
		if strings.Contains(signed.App.LogoutURL, "?") {
			separator = "&"
		}
		home := entra.Directory.HomeOf(signed.App)
		if home == nil {
			continue
		}
		frames = append(frames, fmt.Sprintf(
			"%s%ssid=%s&iss=%s",
			signed.App.LogoutURL,
			separator,
			url.QueryEscape(signed.SID),
			url.QueryEscape(entra.Issuer(home.ID)),
		))
	}
	return frames
}

// handleSignIn handles the form of the sign-in page: an account, and a password where the account
// has one.
func (f *Fake) handleSignIn(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	form url.Values,
) *pageError {
	if form.Get("answer") == "cancel" {
		return f.cancel(w, request)
	}
	name := strings.TrimSpace(form.Get("account"))
	tenant, user := f.rules.FindUser(request.tenantPath, name)
	if user == nil {
		problem := f.rules.ForeignAccount(request.tenantPath, request.params.Get("client_id"), name)
		if problem != nil {
			return asPage(problem)
		}
	}
	if failed := refusePersonal(&f.rules, request, tenant, user); failed != nil {
		return failed
	}
	if problem := rules.CheckPassword(request.tenantPath, user, form); problem != nil {
		switch {
		case user == nil || problem.Number == 50057 || problem.Number == 50053 || problem.Number == 50055:
			f.showSignIn(w, r, request, problem.Error())
		default:
			showPassword(w, request, user, problem.Error())
		}
		return nil
	}
	if user.Password != "" && !form.Has("password") {
		showPassword(w, request, user, "")
		return nil
	}
	request.tenant = tenant
	if failed := f.read(request); failed != nil {
		return failed
	}
	person := state.SignedIn{Tenant: tenant, User: user, At: f.clock.now()}
	f.signIn(w, r, person)
	return f.proceed(w, r, request, &person)
}

// refusePersonal refuses a personal account of a shared endpoint at an app for work accounts.
func refusePersonal(
	entra *rules.Rules,
	request *authorization,
	tenant *directory.Tenant,
	user *directory.User,
) *pageError {
	clientID := request.params.Get("client_id")
	if user == nil || request.tenantPath.Tenant != nil || !entra.RefusesPersonal(tenant, clientID) {
		return nil
	}
	return asPage(aadsts.PersonalAccountRefused(user.UserPrincipalName))
}

// handleSecondFactor handles the form of the second-factor page.
func (f *Fake) handleSecondFactor(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	form url.Values,
) *pageError {
	person := f.state.SignedIn(sessionOf(r), request.tenant)
	switch {
	case person == nil:
		f.showSignIn(w, r, request, "")
		return nil
	case form.Get("answer") != "approve":
		return f.cancel(w, request)
	}
	person.SecondFactor = true
	person.At = f.clock.now()
	request.tenant = person.Tenant
	if failed := f.read(request); failed != nil {
		return failed
	}
	f.signIn(w, r, *person)
	return f.proceed(w, r, request, person)
}

// cancel answers the button Cancel of the sign-in page. The error has a subcode and no description.
func (f *Fake) cancel(w http.ResponseWriter, request *authorization) *pageError {
	if request.tenant == nil {
		request.tenant = f.rules.HomeOf(request.params.Get("client_id"))
	}
	if failed := f.read(request); failed != nil {
		return failed
	}
	if request.kind == byDevice {
		declineDevice(w, f.state, request)
		return nil
	}
	result := []pages.Parameter{
		{Name: "error", Value: "access_denied"},
		{Name: "error_subcode", Value: "cancel"},
	}
	if request.params.Has("state") {
		result = append(result, pages.Parameter{Name: "state", Value: request.params.Get("state")})
	}
	return respond(w, request, withIssuer(f.config.Face, f.Issuer(request.tenant.ID), result))
}
