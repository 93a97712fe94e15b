package tokenrequest

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"mcpentra/client/internal/printable"
)

// A TokenExchange is a request to an identity provider for an identity assertion authorization
// grant (ID-JAG).
type TokenExchange struct {
	// Subject is the identity assertion from the user's sign-in.
	Subject string
	// SubjectType is the token type of Subject (RFC 8693 section 3). Empty means an ID token.
	SubjectType string
	// Audience is the issuer of the authorization server that will accept the ID-JAG.
	Audience string
	// Resource is the MCP server. Empty leaves it out.
	Resource string
	Scopes   []string
}

const (
	typeIDJAG   = "urn:ietf:params:oauth:token-type:id-jag"
	typeIDToken = "urn:ietf:params:oauth:token-type:id_token"
)

// ExchangeToken requests an ID-JAG (RFC 8693 section 2.1; MCP, Enterprise-Managed Authorization).
func (e *Endpoint) ExchangeToken(ctx context.Context, request TokenExchange) (string, error) {
	if request.SubjectType == "" {
		request.SubjectType = typeIDToken
	}
	form := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {typeIDJAG},
		"subject_token":        {request.Subject},
		"subject_token_type":   {request.SubjectType},
		"audience":             {request.Audience},
	}
	setUnlessEmpty(form, "resource", request.Resource)
	setUnlessEmpty(form, "scope", strings.Join(request.Scopes, " "))
	response := tokenResponse{}
	if err := e.post(ctx, "identity provider", form, &response); err != nil {
		return "", err
	}
	if response.IssuedType != typeIDJAG {
		return "", fmt.Errorf(
			"identity provider %s: want issued_token_type %s, got %q",
			e.URL,
			typeIDJAG,
			printable.Text(response.IssuedType),
		)
	}
	if !isVisibleASCII(response.AccessToken) {
		return "", fmt.Errorf("identity provider %s: want an access_token of %s", e.URL, visibleASCII)
	}
	return response.AccessToken, nil
}
