package fakeentra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
)

// A network is a set of hosts of the same cloud.
type network struct {
	Network string   `json:"preferred_network"`
	Cache   string   `json:"preferred_cache"`
	Aliases []string `json:"aliases"`
}

func networks() []network {
	return []network{
		{
			Network: "login.microsoftonline.com",
			Cache:   "login.windows.net",
			Aliases: []string{
				"login.microsoftonline.com",
				"login.windows.net",
				"login.microsoft.com",
				"sts.windows.net",
			},
		},
		{
			Network: "login.partner.microsoftonline.cn",
			Cache:   "login.partner.microsoftonline.cn",
			Aliases: []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		},
		{
			Network: "login.microsoftonline.de",
			Cache:   "login.microsoftonline.de",
			Aliases: []string{"login.microsoftonline.de"},
		},
		{
			Network: "login.microsoftonline.us",
			Cache:   "login.microsoftonline.us",
			Aliases: []string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		},
		{
			Network: "login-us.microsoftonline.com",
			Cache:   "login-us.microsoftonline.com",
			Aliases: []string{"login-us.microsoftonline.com"},
		},
	}
}

// handleInstance is instance discovery. Microsoft's libraries ask it whether a host belongs to
// Entra ID.
func (f *Fake) handleInstance(w http.ResponseWriter, r *http.Request) {
	if f.cloud.externalID {
		http.NotFound(w, r) // External ID has no instance discovery
		return
	}
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	isKnown := err == nil && (asked.Host == bareHost(f.authority) || isAlias(asked.Host))
	if !isKnown {
		f.writeDiscoveryError(w, r, aadsts.UnknownInstance())
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(asked.Path, "/"), "/")
	writeOpenDocument(w, struct {
		Discovery string    `json:"tenant_discovery_endpoint"`
		Version   string    `json:"api-version"`
		Metadata  []network `json:"metadata"`
	}{f.authority + "/" + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration", "1.1", networks()})
}

// isAlias reports whether a host belongs to one of the networks.
func isAlias(host string) bool {
	return slices.ContainsFunc(networks(), func(n network) bool { return slices.Contains(n.Aliases, host) })
}

// handleUserRealm says whether the domain of a user name belongs to a tenant. Libraries ask this
// before the password grant.
func (f *Fake) handleUserRealm(w http.ResponseWriter, r *http.Request) {
	isRealm := r.PathValue("tenant") == "common" && strings.EqualFold(r.PathValue("realm"), "UserRealm")
	if r.Method != http.MethodGet || !isRealm {
		http.NotFound(w, r)
		return
	}
	type realm struct {
		Version  string `json:"ver"`
		Account  string `json:"account_type"`
		Domain   string `json:"domain_name,omitempty"`
		Instance string `json:"cloud_instance_name,omitempty"`
		Audience string `json:"cloud_audience_urn,omitempty"`
	}
	_, domain, _ := strings.Cut(r.PathValue("user"), "@")
	if f.directory.Tenant(domain) == nil || domain == "" {
		writeJSON(w, http.StatusOK, realm{Version: "1.0", Account: "Unknown"})
		return
	}
	writeJSON(w, http.StatusOK, realm{"1.0", "Managed", domain, f.cloud.instance, "urn:federation:MicrosoftOnline"})
}

func bareHost(origin string) string {
	return strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://")
}
