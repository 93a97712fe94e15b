package graph

import "net/http"

// listOrganization describes the tenant.
func (c *call) listOrganization() {
	values, wrong := c.options("$select", "$top")
	if wrong != nil {
		c.failWith(wrong)
		return
	}
	tenant := c.caller.Tenant
	domains := []object{}
	for i, domain := range tenant.Domains {
		domains = append(domains, object{
			{"capabilities", "Email, OfficeCommunicationsOnline"},
			{"isDefault", i == 0},
			{"isInitial", i == 0},
			{"name", domain},
			{"type", "Managed"},
		})
	}
	all := object{
		{"id", tenant.ID},
		{"deletedDateTime", nil},
		{"businessPhones", []string{}},
		{"city", nil},
		{"country", nil},
		{"displayName", tenant.DisplayName},
		{"preferredLanguage", nil},
		{"tenantType", "AAD"},
		{"verifiedDomains", domains},
	}
	selected := names(values.Get("$select"))
	context := "organization"
	if len(selected) > 0 {
		context += "(" + values.Get("$select") + ")"
		all = all.only(selected)
	}
	c.write(http.StatusOK, object{{"@odata.context", c.context(context)}, {"value", []object{all}}})
}
