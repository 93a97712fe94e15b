package managedidentity

import (
	"net/http"
	"regexp"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// metadataSelectors are the parameters of IMDS that name an identity.
func metadataSelectors() []selector {
	return []selector{{"client_id", clientID}, {"object_id", objectID}, {"msi_res_id", resourceID}}
}

// objectID returns the object ID of an identity, which may be derived from its client ID.
func objectID(m *directory.ManagedIdentity) string { return m.App().ObjectID }

var apiVersion = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// oldestMetadata is the first api-version of IMDS with managed identities.
const oldestMetadata = "2018-02-01"

// metadata is the endpoint of IMDS. Its numbers are strings. The header Metadata and the refusal of
// proxies protect it from requests that an attacker makes a program send.
func (s *server) metadata(w http.ResponseWriter, r *http.Request) {
	query, isClear := parameters(r)
	version := query.Get("api-version")
	resource := query.Get("resource")
	picked, named := s.pick(query, metadataSelectors())
	switch {
	case r.Header.Get("Metadata") != "true":
		refuseMetadata(w, "bad_request_102", "Required metadata header not specified")
	case r.Header.Values("X-Forwarded-For") != nil: // L: the text
		refuseMetadata(w, "invalid_request", "Requests with the header X-Forwarded-For are not allowed")
	case !isClear:
		refuseMetadata(w, "invalid_request", "Malformed query") // L
	case version == "": // L: the texts of this and the next three
		refuseMetadata(w, "invalid_request", "Required query variable 'api-version' is missing")
	case !apiVersion.MatchString(version) || version < oldestMetadata:
		refuseMetadata(w, "invalid_request", "The api-version '"+version+"' is not supported")
	case resource == "":
		refuseMetadata(w, "invalid_request", "Required query variable 'resource' is missing")
	case named > 1:
		refuseMetadata(w, "invalid_request", "Only one of client_id, object_id and msi_res_id can be specified")
	case len(picked) == 0:
		refuseMetadata(w, "invalid_request", "Identity not found")
	case len(picked) > 1: // M: the text
		refuseMetadata(w, "invalid_request", "Multiple user assigned identities exist, please specify the "+
			"clientId / resourceId of the identity in the token request")
	default:
		s.answerMetadata(w, r, picked[0], resource)
	}
}

func (s *server) answerMetadata(w http.ResponseWriter, r *http.Request, of found, resource string) {
	token, problem := s.Token(of.tenant, of.identity, resource)
	if problem != nil {
		if problem.Number == aadsts.ResourceNotFound("", "").Number {
			problem.Number = 50001 // the number at this endpoint
			problem.Code = "invalid_resource"
		}
		refuseMetadata(w, problem.Code, s.Describe(r, problem))
		return
	}
	write(w, http.StatusOK, struct {
		AccessToken  string `json:"access_token"`
		ClientID     string `json:"client_id"`
		ExpiresIn    string `json:"expires_in"`
		ExpiresOn    string `json:"expires_on"`
		ExtExpiresIn string `json:"ext_expires_in"`
		NotBefore    string `json:"not_before"`
		Resource     string `json:"resource"`
		TokenType    string `json:"token_type"`
	}{
		AccessToken:  token.Value,
		ClientID:     of.identity.ID,
		ExpiresIn:    token.expiresIn(s.Now()),
		ExpiresOn:    seconds(token.Expiry.Unix()),
		ExtExpiresIn: "86399",
		NotBefore:    seconds(token.NotBefore.Unix()),
		Resource:     resource,
		TokenType:    "Bearer",
	})
}

func refuseMetadata(w http.ResponseWriter, code, description string) {
	write(w, http.StatusBadRequest, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}
