package fakeentra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/aadsts"
)

// A network is a set of hosts that stand for the same cloud.
type network struct {
	Network string   `json:"preferred_network"`
	Cache   string   `json:"preferred_cache"`
	Aliases []string `json:"aliases"`
}

func networks() []network {
	return []network{
		{
			"login.microsoftonline.com",
			"login.windows.net",
			[]string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		},
		{
			"login.partner.microsoftonline.cn",
			"login.partner.microsoftonline.cn",
			[]string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		},
		{"login.microsoftonline.de", "login.microsoftonline.de", []string{"login.microsoftonline.de"}},
		{
			"login.microsoftonline.us",
			"login.microsoftonline.us",
			[]string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		},
		{"login-us.microsoftonline.com", "login-us.microsoftonline.com", []string{"login-us.microsoftonline.com"}},
	}
}

// handleInstance is instance discovery, with which Microsoft's libraries ask whether a host is one
// of Entra's.
func (f *Fake) handleInstance(w http.ResponseWriter, r *http.Request) {
	asked, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	known := err == nil && (asked.Host == bareHost(f.authority) ||
		slices.ContainsFunc(networks(), func(n network) bool { return slices.Contains(n.Aliases, asked.Host) }))
	if !known {
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

// handleUserRealm tells whether a name is of a tenant here, which libraries ask before the password
// grant.
func (f *Fake) handleUserRealm(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.PathValue("tenant") != "common" ||
		!strings.EqualFold(r.PathValue("realm"), "UserRealm") {
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
