package fakeentra

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
)

// grantPassword is the grant of RFC 6749 section 4.3. Entra ID still has it, for accounts without a
// second factor.
func (f *Fake) grantPassword(r *http.Request, request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	if request.tenantPath.Segment == "common" || request.tenantPath.Segment == "consumers" {
		return nil, aadsts.PasswordAtSharedEndpoint()
	}
	for _, name := range []string{"username", "password"} {
		if request.params.Get(name) == "" {
			return nil, aadsts.MissingParameter(name)
		}
	}
	if problem := f.authenticateByApp(request); problem != nil {
		return nil, problem
	}
	name := request.params.Get("username")
	if request.tenant == nil {
		_, domain, _ := strings.Cut(name, "@")
		request.tenant = f.directory.Tenant(domain)
		if request.tenant == nil {
			return nil, aadsts.UserNotFound(domain)
		}
	}
	if request.version == rules.V2 && request.params.Get("scope") == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	asked, problem := f.scopeOf(request, request.client, request.params.Get("scope"))
	if problem != nil {
		return nil, problem
	}
	user := request.tenant.User(name)
	switch {
	case user == nil:
		return nil, aadsts.UserNotFound(request.tenant.PrimaryDomain())
	case user.Password == "":
		return nil, aadsts.NoPassword()
	case subtle.ConstantTimeCompare([]byte(user.Password), []byte(request.params.Get("password"))) != 1:
		return nil, aadsts.WrongPassword()
	}
	d := rules.Delegation{
		Version:   request.version,
		Tenant:    request.tenant,
		Client:    request.client,
		User:      user,
		Platform:  rules.PublicClient,
		Asked:     asked,
		SID:       f.random.guid(),
		Began:     f.state.Begin(user.ID, f.clock.now()),
		SignedIn:  f.clock.now(),
		Strength:  request.strength(),
		WantsInfo: request.wantsInfo(),
	}
	request.declareCapabilities(&d)
	if request.hasSecret || request.assertion {
		d.Platform = rules.Web
	}
	if problem := rules.CheckAccess(&d); problem != nil {
		return nil, problem
	}
	if problem := f.checkConsented(d.Tenant, d.Client, user, asked); problem != nil {
		return nil, problem
	}
	return f.issue(d, request.version)
}
