package entra

import (
	"fmt"
	"slices"
	"strconv"

	"mcpentra/server/identity"
)

// attributeClaims are the claims behind [identity.Attributes] ("Optional claims reference",
// "Configure group claims").
type attributeClaims struct {
	Account   any      `json:"acct"` // 0 for a member, 1 for a guest
	Provider  string   `json:"idp"`
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	HasGroups any      `json:"hasgroups"` // true if the groups are left out
	// ClaimNames lists the claims that are left out, and where they can be read.
	ClaimNames map[string]any `json:"_claim_names"`
}

// ofPerson reads the claims of a person's token. If claims contradict each other, the one that
// gives fewer rights counts.
func (c *attributeClaims) ofPerson(ownProvider func(string) bool) identity.Attributes {
	a := c.ofAny()
	foreign := c.Provider != "" && !ownProvider(c.Provider)
	switch {
	case c.isAccount(1), foreign:
		a.Kind = identity.Guest
		a.KindStated = true
	case c.isAccount(0), c.Account == nil && c.Provider != "":
		a.Kind = identity.User
		a.KindStated = true
	default:
		a.Kind = identity.User
	}
	return a
}

func (c *attributeClaims) ofApplication() identity.Attributes {
	a := c.ofAny()
	a.Kind = identity.App
	a.KindStated = true
	return a
}

func (c *attributeClaims) ofAny() identity.Attributes {
	_, named := c.ClaimNames["groups"]
	leftOut := named || c.HasGroups != nil && c.HasGroups != false
	return identity.Attributes{
		Roles:            slices.Clone(c.Roles),
		Groups:           slices.Clone(c.Groups),
		GroupsIncomplete: leftOut,
	}
}

// isAccount compares acct, which is a number, or sometimes a string in v1 tokens.
func (c *attributeClaims) isAccount(status int) bool {
	return fmt.Sprint(c.Account) == strconv.Itoa(status)
}

// ownProvider returns a function that reports whether idp names the tenant itself. Some tokens do.
func (c *Client) ownProvider(tenantID string) func(provider string) bool {
	d := *c.deployment
	d.tenant = tenantID
	return func(provider string) bool { return provider == d.issuer() || provider == d.issuerV1() }
}
