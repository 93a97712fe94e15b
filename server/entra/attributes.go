package entra

import (
	"fmt"
	"slices"
	"strconv"

	"mcpentra/server/identity"
)

// attributeClaims are the claims behind [identity.Attributes] ("Optional claims reference", "Configure group claims").
type attributeClaims struct {
	Account   any      `json:"acct"` // 0 for a member, 1 for a guest
	Provider  string   `json:"idp"`
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	HasGroups any      `json:"hasgroups"` // true where the groups are left out
	// Elsewhere names the claims that are left out, and where they can be read.
	Elsewhere map[string]any `json:"_claim_names"`
}

// ofPerson reads the claims of a person's token. Of claims that contradict each other, the one
// counts that gives less.
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
	_, elsewhere := c.Elsewhere["groups"]
	left := elsewhere || c.HasGroups != nil && c.HasGroups != false
	return identity.Attributes{Roles: slices.Clone(c.Roles), Groups: slices.Clone(c.Groups), GroupsIncomplete: left}
}

// isAccount compares acct, which is a number, in v1 tokens sometimes a string.
func (c *attributeClaims) isAccount(status int) bool {
	return fmt.Sprint(c.Account) == strconv.Itoa(status)
}

// ownProvider tells whether idp names the tenant itself, which some tokens do.
func (c *Client) ownProvider(tenantID string) func(provider string) bool {
	d := *c.deployment
	d.tenant = tenantID
	return func(provider string) bool { return provider == d.issuer() || provider == d.oldIssuer() }
}
