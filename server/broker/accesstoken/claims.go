package accesstoken

import (
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// Claims are the claims that package token does not read. They describe the caller to tools.
type Claims struct {
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`

	EntraIssuer string `json:"entra_iss"`
	TenantID    string `json:"tid"`
	ObjectID    string `json:"oid"`
	Name        string `json:"name,omitempty"`
	Username    string `json:"preferred_username,omitempty"`
	ClientName  string `json:"client_name,omitempty"`
	GrantID     string `json:"grant,omitempty"`

	// Kind is identity.App in the tokens of applications, and empty in the tokens of people.
	Kind identity.Kind `json:"kind,omitempty"`
}

// Read returns the caller that a verified token describes. The error is a *token.InvalidError. The
// token does not say whether a person is a guest, and lists no groups.
func Read(verified *token.Claims) (*identity.Caller, error) {
	var claims Claims
	err := verified.Decode(&claims)
	isApp := claims.Kind == identity.App && claims.Scope != ""
	isComplete := (claims.GrantID != "" || isApp) && claims.ClientID != "" && claims.ObjectID != ""
	if err != nil || !isComplete || len(verified.Audience) != 1 {
		return nil, token.NewInvalidError("not one of this server's access tokens")
	}
	return &identity.Caller{
		Attributes: identity.Attributes{Kind: claims.Kind, KindStated: isApp, GroupsIncomplete: !isApp},
		Principal: identity.Principal{
			Issuer:   claims.EntraIssuer,
			TenantID: claims.TenantID,
			ObjectID: claims.ObjectID,
		},
		Name:       claims.Name,
		Username:   claims.Username,
		ClientID:   claims.ClientID,
		ClientName: claims.ClientName,
		GrantID:    claims.GrantID,
		TokenID:    verified.ID,
		Scopes:     strings.Fields(claims.Scope),
		Issued:     verified.IssuedAt,
		Expiry:     verified.Expiry,
		GoodUntil:  verified.GoodUntil,
	}, nil
}
