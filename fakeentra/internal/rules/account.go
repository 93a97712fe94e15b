package rules

import (
	"crypto/subtle"
	"net/url"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// HasPersonalAccounts reports whether the directory has the tenant of personal accounts.
func (r *Rules) HasPersonalAccounts() bool {
	return r.Directory.Tenant(directory.ConsumersTenantID) != nil
}

// PickUser returns the person that a login hint names, or else the first one. It searches one
// tenant, or all tenants if tenant is nil. Both results are nil if there are no people.
func (r *Rules) PickUser(tenant *directory.Tenant, hint string) (*directory.Tenant, *directory.User) {
	candidates := r.Directory.Tenants
	if tenant != nil {
		candidates = []directory.Tenant{*tenant}
	}
	for i := range candidates {
		if user := candidates[i].User(hint); user != nil {
			return r.Directory.Tenant(candidates[i].ID), user
		}
	}
	for i := range candidates {
		if len(candidates[i].Users) > 0 {
			return r.Directory.Tenant(candidates[i].ID), &candidates[i].Users[0]
		}
	}
	return nil, nil
}

// FindUser finds an account of the tenant, or of any tenant that a shared endpoint accepts.
func (r *Rules) FindUser(path *TenantPath, name string) (*directory.Tenant, *directory.User) {
	if path.Tenant != nil {
		return path.Tenant, path.Tenant.User(name)
	}
	for i := range r.Directory.Tenants {
		tenant := &r.Directory.Tenants[i]
		if !path.Serves(tenant) {
			continue
		}
		if user := tenant.User(name); user != nil {
			return tenant, user
		}
	}
	return nil, nil
}

// ForeignAccount returns the error for an account that the endpoint does not accept: an account of
// another organization, or of the other kind. It returns nil for an unknown account.
func (r *Rules) ForeignAccount(path *TenantPath, clientID, name string) *aadsts.Error {
	for i := range r.Directory.Tenants {
		home := &r.Directory.Tenants[i]
		user := home.User(name)
		switch {
		case user == nil:
		case r.RefusesPersonal(home, clientID):
			return aadsts.PersonalAccountRefused(user.UserPrincipalName)
		case path.Tenant == nil, home.Personal() != path.Tenant.Personal() && path.Segment == "consumers":
			return aadsts.WrongKindOfAccount()
		case home.Personal():
			return aadsts.ForeignUser(user.UserPrincipalName, "live.com", path.Tenant.DisplayName, clientID)
		default:
			issuer := r.V1Issuer(home.ID)
			return aadsts.ForeignUser(user.UserPrincipalName, issuer, path.Tenant.DisplayName, clientID)
		}
	}
	return nil
}

// RefusesPersonal reports whether a tenant has personal accounts, and the app is not for them.
func (r *Rules) RefusesPersonal(tenant *directory.Tenant, clientID string) bool {
	client := r.AnyApp(clientID)
	return tenant.Personal() && client != nil && !client.PersonalAccounts
}

// CheckPassword checks the account of a sign-in form, and the password if the form has one. User is
// nil for an unknown account.
func CheckPassword(path *TenantPath, user *directory.User, form url.Values) *aadsts.Error {
	switch {
	case user == nil:
		return aadsts.UserNotFound(path.place(form.Get("account")))
	case user.Disabled:
		return aadsts.UserDisabled()
	case user.Locked:
		return aadsts.UserLocked()
	case user.Password != "" && form.Has("password") && !SameSecret(user.Password, form.Get("password")):
		return aadsts.WrongPassword()
	case user.PasswordExpired:
		return aadsts.PasswordExpired()
	}
	return nil
}

// place names the directory without an account: the domain of its tenant, or at a shared endpoint
// the domain of the account.
func (p *TenantPath) place(account string) string {
	_, domain, found := strings.Cut(strings.TrimSpace(account), "@")
	switch {
	case p.Tenant != nil:
		return p.Tenant.PrimaryDomain()
	case found:
		return domain
	}
	return p.Segment
}

// SameSecret compares two secrets in constant time.
func SameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
