package fakeentra

import (
	"strings"

	"mcpentra/fakeentra/aadsts"
)

// grantClientCredentials is the grant of an app for itself (RFC 6749 section 4.4). Entra wants exactly one resource
// with /.default.
func (f *Fake) grantClientCredentials(request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	if problem := request.checkSecret(aadsts.NoCredentialForApp()); problem != nil {
		return nil, problem
	}
	scope := request.params.Get("scope")
	if scope == "" {
		return nil, aadsts.MissingParameter("scope")
	}
	asked, problem := f.resolve(request.tenant, request.client, scope, true)
	if problem != nil {
		return nil, problem
	}
	if len(asked.groups) > 1 {
		return nil, aadsts.ScopesOfSeveralResources()
	}
	if len(asked.groups) == 0 || !asked.groups[0].everyone || !strings.Contains(scope, "/.default") {
		return nil, aadsts.NotDefaultScope(scope)
	}
	if problem := f.checkResource(request.params.Get("resource"), request.params.Has("resource"), asked, request.tenant); problem != nil {
		return nil, problem
	}
	lifetime := f.lifetime()
	return &tokenResponse{
		TokenType: "Bearer", ExpiresIn: seconds(lifetime) - 1, ExtExpiresIn: seconds(lifetime) - 1,
		AccessToken: f.appToken(request, asked.groups[0], lifetime),
	}, nil
}
