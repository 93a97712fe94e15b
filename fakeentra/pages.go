package fakeentra

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
)

// maxListed bounds the accounts that the sign-in page offers. A person can type any other.
const maxListed = 50

// showSignIn asks for an account. It offers the accounts that the endpoint accepts.
func (f *Fake) showSignIn(w http.ResponseWriter, r *http.Request, request *authorization, problem string) {
	data := pages.Page{
		Title:   "Sign in",
		Action:  request.action("login"),
		Hint:    request.params.Get("login_hint"),
		Problem: problem,
	}
	for i := range f.directory.Tenants {
		if tenant := &f.directory.Tenants[i]; request.tenantPath.Serves(tenant) {
			data.Accounts = append(data.Accounts, tenant.Users...)
		}
	}
	data.Accounts = data.Accounts[:min(len(data.Accounts), maxListed)]
	if request.tenantPath.Tenant != nil {
		data.Place = request.tenantPath.Tenant.DisplayName
	}
	if typed := r.PostForm.Get("account"); problem != "" && typed != "" {
		data.Hint = typed
	}
	if request.client != nil {
		data.Client = request.client.DisplayName
	} else if app := f.rules.AnyApp(request.params.Get("client_id")); app != nil {
		data.Client = app.DisplayName // not checked yet
	}
	if len(data.Accounts) > 0 && problem == "" {
		data.Focus = data.Accounts[0].UserPrincipalName
		for _, user := range data.Accounts {
			if strings.EqualFold(user.UserPrincipalName, data.Hint) {
				data.Focus = user.UserPrincipalName
			}
		}
	}
	pages.Show(w, "signin.html", data)
}

// showPassword asks for the password of an account.
func showPassword(w http.ResponseWriter, request *authorization, user *directory.User, problem string) {
	pages.Show(w, "password.html", pages.Page{
		Title:   "Enter password",
		Action:  request.action("login"),
		User:    user,
		Problem: problem,
	})
}

// showSecondFactor asks for the approval of a second factor.
func showSecondFactor(w http.ResponseWriter, request *authorization, user *directory.User) {
	pages.Show(w, "secondfactor.html", pages.Page{
		Title:  "Approve sign in request",
		Action: request.action("secondfactor"),
		User:   user,
	})
}

// showConsent asks a person to approve the permissions of a client.
func showConsent(w http.ResponseWriter, entra *rules.Rules, request *authorization, user *directory.User) {
	var asked []pages.Permission
	add := func(name, words string) {
		isListed := func(permission pages.Permission) bool { return permission.Words == words }
		if !slices.ContainsFunc(asked, isListed) {
			asked = append(asked, pages.Permission{Name: name, Words: words})
		}
	}
	for _, scope := range request.asked.OIDC {
		add(scope, rules.GraphApp.ScopeNamed(scope).DisplayName)
	}
	for _, group := range request.asked.Groups {
		for _, name := range slices.Concat(group.Names, group.Implied) {
			if scope := entra.Directory.ScopeOf(group.App, name); scope != nil {
				add(name+" of "+group.App.DisplayName, cmp.Or(scope.DisplayName, scope.Name))
			}
		}
	}
	site := ""
	if target, err := url.Parse(request.redirect); err == nil && target.Host != "" {
		site = target.Scheme + "://" + target.Host
	}
	pages.Show(w, "consent.html", pages.Page{
		Title:  "Permissions requested",
		Place:  request.tenant.DisplayName,
		Client: request.client.DisplayName,
		Action: request.action("consent"),
		User:   user,
		Scopes: asked,
		Site:   site,
		ForAll: request.kind == byAdmin,
	})
}

// action returns the address of a page's form. It carries the parameters of the authorization.
func (request *authorization) action(step string) string {
	path := fmt.Sprintf("/%s/%s/v%d/%s", request.tenantPath.Segment, request.kind, request.version, step)
	return path + "?" + request.params.Encode()
}

// showError answers with an error page.
func (f *Fake) showError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	noteProblem(w, problem)
	pages.ShowError(w, problem, f.occurrence(w, r))
}

// handleFrontPage lists the discovery documents.
func (f *Fake) handleFrontPage(w http.ResponseWriter, _ *http.Request) {
	page := pages.Page{Title: "A fake of Microsoft Entra ID"}
	for _, tenant := range f.directory.Tenants {
		address := f.authority + "/" + tenant.ID + "/v2.0/.well-known/openid-configuration"
		page.Documents = append(page.Documents, address)
	}
	pages.Show(w, "front.html", page)
}

// handleLookup serves the page at error_uri.
func handleLookup(w http.ResponseWriter, r *http.Request) {
	pages.Show(w, "lookup.html", pages.Lookup(r.URL.Query().Get("code")))
}
