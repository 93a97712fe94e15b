package portal

import (
	"net/http"
	"slices"

	"mcpentra/fakeentra/directory"
)

// maxShown bounds the people and the apps of a tenant on the page.
const maxShown = 200

// A tenantView is a tenant on the page of the directory.
type tenantView struct {
	ID        string
	Name      string
	Domain    string
	Discovery string // address of the document
	Users     []userView
	MoreUsers int // people who do not fit the page
	Apps      []directory.App
	MoreApps  int
}

// A userView is a person on the page.
type userView struct {
	directory.User
	Groups   []string
	Marks    []string
	Blocked  bool
	SignedIn bool
}

// showPeople shows the directory.
func (p *portal) showPeople(w http.ResponseWriter, r *http.Request) error {
	return p.showPeopleWith(w, r, nil)
}

func (p *portal) showPeopleWith(w http.ResponseWriter, r *http.Request, problem error) error {
	found, err := p.directory(r.Context())
	if err != nil {
		return err
	}
	page := struct {
		frame
		Authority string
		Graph     string
		Tenants   []tenantView
	}{
		frame:     p.frame(r, "A fake of Microsoft Entra ID", "/", problem),
		Authority: p.fake.Authority(),
		Graph:     p.fake.GraphURL(),
	}
	for _, tenant := range found.Tenants {
		page.Tenants = append(page.Tenants, p.viewTenant(&tenant, page.Person))
	}
	return show(w, "people.html", problem, page)
}

func (p *portal) viewTenant(tenant *directory.Tenant, signedIn string) tenantView {
	shown := tenantView{
		ID:        tenant.ID,
		Name:      tenant.DisplayName,
		Discovery: p.fake.Issuer(tenant.ID) + "/.well-known/openid-configuration",
		MoreUsers: max(0, len(tenant.Users)-maxShown),
		MoreApps:  max(0, len(tenant.Apps)-maxShown),
		Apps:      tenant.Apps[:min(len(tenant.Apps), maxShown)],
	}
	if len(tenant.Domains) > 0 {
		shown.Domain = tenant.Domains[0]
	}
	for _, user := range tenant.Users[:min(len(tenant.Users), maxShown)] {
		view := userView{
			User:     user,
			Marks:    marks(&user),
			Blocked:  user.Disabled || user.Locked || user.PasswordExpired,
			SignedIn: user.UserPrincipalName == signedIn,
		}
		for _, group := range tenant.Groups {
			if slices.Contains(group.Members, user.ID) {
				view.Groups = append(view.Groups, group.DisplayName)
			}
		}
		shown.Users = append(shown.Users, view)
	}
	return shown
}

// marks lists the properties of an account that a tester looks for.
func marks(user *directory.User) []string {
	var found []string
	add := func(when bool, mark string) {
		if when {
			found = append(found, mark)
		}
	}
	add(user.Admin, "administrator")
	add(user.HomeTenant != "", "guest")
	add(user.Password != "", "has a password")
	add(user.Disabled, "disabled")
	add(user.Locked, "locked")
	add(user.PasswordExpired, "password expired")
	return found
}

// signIn signs a person in to this browser.
func (p *portal) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := p.fake.SignIn(w, r, r.PostForm.Get("user")); err != nil {
		return p.showPeopleWith(w, r, err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// revokeSessions ends all sessions and refresh tokens of a person.
func (p *portal) revokeSessions(w http.ResponseWriter, r *http.Request) error {
	body := map[string]string{"user": r.PostForm.Get("user")}
	if err := p.call(r.Context(), http.MethodPost, "/sessions/revoke", body, nil); err != nil {
		return p.showPeopleWith(w, r, err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// reset resets everything except the directory.
func (p *portal) reset(w http.ResponseWriter, r *http.Request) error {
	if err := p.call(r.Context(), http.MethodPost, "/reset", struct{}{}, nil); err != nil {
		return p.showClockWith(w, r, err)
	}
	http.Redirect(w, r, "/portal/clock", http.StatusSeeOther)
	return nil
}
