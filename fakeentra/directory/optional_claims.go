package directory

import (
	"maps"
	"slices"
	"strings"
)

// knownOptionalClaims lists the optional claims that a fake can add.
var knownOptionalClaims = []string{
	"acct",
	"aud",
	"auth_time",
	"email",
	"family_name",
	"given_name",
	"groups",
	"idtyp",
	"ipaddr",
	"login_hint",
	"sid",
	"tenant_region_scope",
	"upn",
	"verified_primary_email",
	"verified_secondary_email",
	"xms_cc",
	"xms_edov",
}

// knownProperties lists the properties of optional claims that have an effect.
var knownProperties = map[string][]string{
	"aud": {"use_guid"},
	"groups": {
		"sam_account_name",
		"dns_domain_and_sam_account_name",
		"netbios_domain_and_sam_account_name",
		"cloud_displayname",
		"emit_as_roles",
	},
	"idtyp": {"include_user_token"},
	"upn":   {"include_externally_authenticated_upn", "include_externally_authenticated_upn_without_hash"},
}

// Has reports whether an optional claim has a property.
func (c *OptionalClaims) Has(claim, property string) bool {
	return slices.Contains(c.AdditionalProperties[claim], property)
}

// listed returns the optional claims of both kinds of token.
func (c *OptionalClaims) listed() []string { return slices.Concat(c.AccessToken, c.IDToken) }

// UsesGUID reports whether aud is always the application ID in the access tokens for an app.
func (a *App) UsesGUID() bool {
	hasProperty := slices.Contains(a.OptionalClaims.AccessToken, "aud") && a.OptionalClaims.Has("aud", "use_guid")
	return a.TokenVersion == 2 || hasProperty
}

// optionalClaims checks the optional claims of an app and their properties.
func (a *appChecker) optionalClaims() {
	optional := &a.app.OptionalClaims
	for _, claim := range optional.listed() {
		a.refuse(!slices.Contains(knownOptionalClaims, claim), "optionalClaims",
			"unknown optional claim %q; want one of %s", claim, strings.Join(knownOptionalClaims, ", "))
	}
	for _, claim := range slices.Sorted(maps.Keys(optional.AdditionalProperties)) {
		key := "optionalClaims.additionalProperties." + claim
		known := knownProperties[claim]
		a.refuse(known == nil, key, "the claim %q has no properties; want one of %s", claim,
			strings.Join(slices.Sorted(maps.Keys(knownProperties)), ", "))
		a.refuse(known != nil && !slices.Contains(optional.listed(), claim), key,
			"the properties of %q have no effect; add the claim to accessToken or idToken", claim)
		for _, property := range optional.AdditionalProperties[claim] {
			a.refuse(known != nil && !slices.Contains(known, property), key,
				"unknown property %q of the claim %q; want one of %s", property, claim, strings.Join(known, ", "))
		}
	}
	isNamed := optional.Has("groups", "cloud_displayname")
	a.refuse(isNamed && a.app.GroupMembershipClaims != "ApplicationGroup", "groupMembershipClaims",
		"want ApplicationGroup for the property cloud_displayname, got %q", a.app.GroupMembershipClaims)
}
