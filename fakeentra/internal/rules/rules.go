package rules

import "mcpentra/fakeentra/directory"

// Rules are the rules of one fake. They read its directory and never change it.
type Rules struct {
	Directory *directory.Directory
	// Authority is the scheme and host of v2 issuers, and STS of v1 issuers.
	Authority string
	STS       string
	// ExternalID makes the issuers of External ID, whose host is not the authority's.
	ExternalID bool
	// GraphURL is the scheme and host of Microsoft Graph.
	GraphURL string
	// AzureADGraph is the scheme and host that a token with too many groups points to.
	AzureADGraph string
	// Created reports whether consent made a service principal of an app in a tenant. Nil means
	// that it made none.
	Created func(tenantID, appID string) bool
	// ExactLoopbackPort wants the registered port of http://127.0.0.1.
	ExactLoopbackPort bool
}

// Issuer returns the v2 issuer of a tenant.
func (r *Rules) Issuer(tenantID string) string {
	if r.ExternalID {
		return "https://" + tenantID + ".ciamlogin.com/" + tenantID + "/v2.0"
	}
	return r.Authority + "/" + tenantID + "/v2.0"
}
