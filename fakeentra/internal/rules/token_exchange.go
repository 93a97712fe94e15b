package rules

import "mcpentra/fakeentra/directory"

// TokenExchangeApp is the resource of tokens that serve as federated credentials (M: the ID). Only
// managed identities get tokens for it. No directory has it, so compare pointers.
var TokenExchangeApp = directory.App{
	ID:             "fb60f99c-7a34-4190-8149-302f77469936",
	DisplayName:    "Azure AD Token Exchange",
	IdentifierURIs: []string{directory.FederatedAudience},
	TokenVersion:   2,
}
