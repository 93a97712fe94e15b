package fakeentra

import (
	"net/http"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
)

// adminResult tells the client that an administrator gave consent for all users (M: the order of
// the parameters).
func adminResult(request *authorization) []pages.Parameter {
	result := []pages.Parameter{
		{Name: "admin_consent", Value: "True"},
		{Name: "tenant", Value: request.tenant.ID},
	}
	for _, name := range []string{"scope", "state"} {
		if request.params.Has(name) {
			result = append(result, pages.Parameter{Name: name, Value: request.params.Get(name)})
		}
	}
	return result
}

// declineAdminConsent tells the client that an administrator refused. Even then the answer at v2
// carries admin_consent=True, so a client has to look for error (D, recorded 2019-09-24). v1 has
// other words for it (D).
func (f *Fake) declineAdminConsent(w http.ResponseWriter, r *http.Request, request *authorization) *pageError {
	problem := aadsts.ConsentDeclined()
	noteProblem(w, problem)
	result := []pages.Parameter{
		{Name: "admin_consent", Value: "True"},
		{Name: "tenant", Value: request.tenant.ID},
		{Name: "error", Value: "consent_required"},
		{Name: "error_description", Value: problem.Description(f.occurrence(w, r))},
	}
	if request.version == rules.V1 {
		result = []pages.Parameter{
			{Name: "error", Value: "permission_denied"},
			{Name: "error_description", Value: "The admin canceled the request"},
		}
	}
	if request.params.Has("state") {
		result = append(result, pages.Parameter{Name: "state", Value: request.params.Get("state")})
	}
	return respond(w, request, result)
}
