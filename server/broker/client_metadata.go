package broker

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// clientMetadata is the metadata that a client registers (RFC 7591 section 2). The broker ignores
// other members. In particular it shows no image or link of an unknown client.
type clientMetadata struct {
	RedirectURIs    []string `json:"redirect_uris"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	Name            string   `json:"client_name"`
	Scope           string   `json:"scope"`
	ApplicationType string   `json:"application_type"`
	JWKSURI         string   `json:"jwks_uri"`
	SigningAlg      string   `json:"token_endpoint_auth_signing_alg"`

	JWKS jsontext.Value `json:"jwks"`

	leftOut []unusableRedirect // of RedirectURIs
}

// judgeRegistration refuses metadata that the broker cannot accept, and fills in the defaults.
func (b *Broker) judgeRegistration(asked *clientMetadata) *protocolError {
	for _, judge := range []func(*clientMetadata) *protocolError{
		judgeGrantTypes,
		b.judgeRedirectURIs,
		judgeApplicationType,
		judgeAuthMethod,
		b.judgeKeys,
		judgeResponseTypes,
	} {
		if problem := judge(asked); problem != nil {
			return problem
		}
	}
	asked.Scope = b.registeredScopes(asked.Scope)
	asked.Name = cleanName(asked.Name)
	return nil
}

// judgeRedirectURIs keeps the redirect URIs that the broker can use. Every client of the code flow
// needs one. A client that only has device codes needs none.
func (b *Broker) judgeRedirectURIs(asked *clientMetadata) *protocolError {
	isNeeded := slices.Contains(asked.GrantTypes, codeGrant)
	if isNeeded && len(asked.RedirectURIs) == 0 {
		return badRequest("invalid_redirect_uri", "redirect_uris is missing or empty")
	}
	asked.RedirectURIs, asked.leftOut = b.usableRedirects(asked.RedirectURIs)
	if isNeeded && len(asked.RedirectURIs) == 0 {
		return badRequest("invalid_redirect_uri", asked.leftOut[0].reason.Error()).
			saw("redirect_uris", strings.Join(logged(asked.leftOut), "; ")).saw("name", cleanName(asked.Name))
	}
	return nil
}

func judgeApplicationType(asked *clientMetadata) *protocolError {
	switch asked.ApplicationType {
	case "":
		// RFC 7591 has no default. The redirect URIs show the type.
		asked.ApplicationType = "web"
		if len(asked.RedirectURIs) == 0 || slices.ContainsFunc(asked.RedirectURIs, isLoopbackURI) {
			asked.ApplicationType = "native"
		}
	case "native", "web":
	default:
		return badRequest("invalid_client_metadata", "application_type is neither native nor web").
			saw("application_type", asked.ApplicationType)
	}
	return nil
}

func judgeAuthMethod(asked *clientMetadata) *protocolError {
	if asked.AuthMethod == "" {
		asked.AuthMethod = authBasic // RFC 7591 section 2
	}
	if !slices.Contains(authMethods, asked.AuthMethod) {
		return badRequest("invalid_client_metadata",
			"token_endpoint_auth_method has to be one of "+strings.Join(authMethods, ", ")).
			saw("token_endpoint_auth_method", asked.AuthMethod)
	}
	return nil
}

// registrableGrants are the grant types that a client can register.
var registrableGrants = []string{codeGrant, "refresh_token", deviceGrant}

// judgeGrantTypes keeps the grant types that the broker has.
func judgeGrantTypes(asked *clientMetadata) *protocolError {
	if len(asked.GrantTypes) == 0 {
		asked.GrantTypes = []string{codeGrant} // RFC 7591 section 2
	}
	var kept []string
	for _, grantType := range asked.GrantTypes {
		isNew := !slices.Contains(kept, grantType)
		if isNew && slices.Contains(registrableGrants, grantType) {
			kept = append(kept, grantType)
		}
	}
	if !slices.Contains(kept, codeGrant) && !slices.Contains(kept, deviceGrant) {
		return badRequest("invalid_client_metadata",
			"grant_types has neither "+codeGrant+" nor "+deviceGrant).
			saw("grant_types", strings.Join(asked.GrantTypes, " "))
	}
	asked.GrantTypes = kept
	return nil
}

// judgeResponseTypes sets the response types: code for clients of the code flow, and none for
// others.
func judgeResponseTypes(asked *clientMetadata) *protocolError {
	if !slices.Contains(asked.GrantTypes, codeGrant) {
		asked.ResponseTypes = []string{}
		return nil
	}
	if len(asked.ResponseTypes) > 0 && !slices.Contains(asked.ResponseTypes, "code") {
		return badRequest("invalid_client_metadata", "response_types lacks code").
			saw("response_types", strings.Join(asked.ResponseTypes, " "))
	}
	asked.ResponseTypes = []string{"code"}
	return nil
}
