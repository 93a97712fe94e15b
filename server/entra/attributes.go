package entra

import (
	"fmt"
	"slices"
	"strconv"
)

// Attributes are what a token of Entra's says about a caller beside who that is.
type Attributes struct {
	// Kind tells members of the tenant, guests and applications apart.
	Kind CallerKind `json:"kind"`
	// KindStated says that the token states the kind. Tokens of people do so by the claim acct or
	// idp. Without either, Kind is Member only because nothing says otherwise: whoever needs
	// members has to refuse then.
	KindStated bool `json:"kind_stated"`
	// Roles are the app roles.
	Roles []string `json:"roles,omitempty"`
	// Groups are the object IDs of groups. Entra names them only if the registration asks for it.
	Groups []string `json:"groups,omitempty"`
	// GroupsIncomplete says that the caller is in groups which Groups does not have: there are more
	// than fit into a token, or nothing is known of the groups.
	GroupsIncomplete bool `json:"groups_incomplete,omitempty"`
}

// attributeClaims are the claims for them ("Optional claims reference", "Configure group claims").
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
func (c *attributeClaims) ofPerson(ownProvider func(string) bool) Attributes {
	a := c.ofAny()
	foreign := c.Provider != "" && !ownProvider(c.Provider)
	switch {
	case c.isAccount(1), foreign:
		a.Kind = Guest
		a.KindStated = true
	case c.isAccount(0), c.Account == nil && c.Provider != "":
		a.Kind = Member
		a.KindStated = true
	default:
		a.Kind = Member
	}
	return a
}

func (c *attributeClaims) ofApplication() Attributes {
	a := c.ofAny()
	a.Kind = Application
	a.KindStated = true
	return a
}

func (c *attributeClaims) ofAny() Attributes {
	_, elsewhere := c.Elsewhere["groups"]
	left := elsewhere || c.HasGroups != nil && c.HasGroups != false
	return Attributes{Roles: slices.Clone(c.Roles), Groups: slices.Clone(c.Groups), GroupsIncomplete: left}
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
