package managedidentity

import (
	"net/http"

	"mcpentra/fakeentra/internal/rules"
)

// The versions of the endpoint of App Service.
const (
	appService2017 = "2017-09-01"
	appService2019 = "2019-08-01"
)

// appServiceSelectors are the parameters of App Service that name an identity.
func appServiceSelectors(version string) []selector {
	if version == appService2017 {
		return []selector{{"clientid", clientID}}
	}
	return []selector{
		{"client_id", clientID},
		{"principal_id", objectID},
		{"object_id", objectID},
		{"mi_res_id", resourceID},
	}
}

// appServiceHeader is the header that holds the secret.
func appServiceHeader(version string) string {
	if version == appService2017 {
		return "secret"
	}
	return "X-IDENTITY-HEADER"
}

const noIdentity = "No User Assigned or Delegated Managed Identity found for specified " +
	"ClientId/ResourceId/PrincipalId."

// appService is the endpoint of App Service, Functions and Container Apps. A secret in a header
// protects it from requests that an attacker makes a program send (L: the texts and the status
// without the secret).
func (s *server) appService(w http.ResponseWriter, r *http.Request) {
	query, isClear := parameters(r)
	version := query.Get("api-version")
	resource := query.Get("resource")
	picked, named := s.pick(query, appServiceSelectors(version))
	switch {
	case !rules.SameSecret(s.Secret, r.Header.Get(appServiceHeader(version))):
		s.refuseAppService(w, version, http.StatusUnauthorized,
			"The header "+appServiceHeader(version)+" does not have the expected value.")
	case !isClear:
		s.refuseAppService(w, version, http.StatusBadRequest, "Malformed query.")
	case version != appService2017 && version != appService2019:
		s.refuseAppService(w, version, http.StatusBadRequest, "The api-version '"+version+"' is not supported.")
	case resource == "":
		s.refuseAppService(w, version, http.StatusBadRequest, "The parameter 'resource' is required.")
	case named > 1:
		s.refuseAppService(w, version, http.StatusBadRequest, "Only one identity can be specified.")
	case len(picked) != 1:
		s.refuseAppService(w, version, http.StatusBadRequest, noIdentity)
	default:
		s.answerAppService(w, r, version, picked[0], resource)
	}
}

func (s *server) answerAppService(w http.ResponseWriter, r *http.Request, version string, of found, resource string) {
	token, problem := s.Token(of.tenant, of.identity, resource)
	if problem != nil {
		s.refuseAppService(w, version, http.StatusBadRequest, s.Describe(r, problem))
		return
	}
	answer := struct {
		AccessToken string `json:"access_token"`
		ExpiresOn   string `json:"expires_on"`
		Resource    string `json:"resource"`
		TokenType   string `json:"token_type"`
		ClientID    string `json:"client_id,omitempty"`
	}{
		AccessToken: token.Value,
		ExpiresOn:   seconds(token.Expiry.Unix()),
		Resource:    resource,
		TokenType:   "Bearer",
		ClientID:    of.identity.ID,
	}
	if version == appService2017 {
		answer.ExpiresOn = token.Expiry.UTC().Format("01/02/2006 15:04:05 -07:00") // M: the format
		answer.ClientID = ""
	}
	write(w, http.StatusOK, answer)
}

// refuseAppService writes an error. The older version has capitals in its names.
func (s *server) refuseAppService(w http.ResponseWriter, version string, status int, message string) {
	if version == appService2017 {
		write(w, status, struct {
			StatusCode    int
			Message       string
			CorrelationID string `json:"CorrelationId"`
		}{status, message, s.NewID()})
		return
	}
	write(w, status, struct {
		StatusCode    int    `json:"statusCode"`
		Message       string `json:"message"`
		CorrelationID string `json:"correlationId"`
	}{status, message, s.NewID()})
}
