package fakeentra

import (
	"fmt"
	"strings"

	"mcpentra/fakeentra/directory"
)

// A Cloud names one of Microsoft's clouds. It selects the hosts of a fake without a listener, and
// the names in the documents and v1 tokens of every fake.
type Cloud string

// The clouds. Hosts and names come from Microsoft's documentation of national clouds.
const (
	PublicCloud Cloud = ""
	USGov       Cloud = "usgov"     // GCC High
	USGovDoD    Cloud = "usgov-dod" // DoD
	China       Cloud = "china"     // 21Vianet
	// ExternalID is Microsoft Entra External ID in the public cloud. Endpoints and keys are at
	// https://SUBDOMAIN.ciamlogin.com, where SUBDOMAIN is the first label of the first tenant's
	// first domain. Issuers are https://TENANT_ID.ciamlogin.com/TENANT_ID/v2.0, at a listener, too:
	// clients that compare the hosts of both fail, like at Microsoft.
	ExternalID Cloud = "external-id"
)

// A profile holds the hosts and names of a cloud.
type profile struct {
	authority    string // scheme and host
	graph        string // scheme and host
	sts          string // scheme and host of v1 issuers
	instance     string // cloud_instance_name
	azureADGraph string // cloud_graph_host_name
	rbac         string
	mtls         string
	devicePage   string
	aliases      []string // hosts that a client can use in place of the authority
	externalID   bool
}

// externalProfile returns the hosts of External ID for a directory. Other names are the same as in
// the public cloud (L).
func externalProfile(d *directory.Directory) (profile, error) {
	if len(d.Tenants[0].Domains) == 0 {
		return profile{}, fmt.Errorf("fakeentra: want a domain of the first tenant for cloud %q, such as "+
			"contoso.onmicrosoft.com; its first label is the subdomain of ciamlogin.com", ExternalID)
	}
	found, err := PublicCloud.profile()
	subdomain, _, _ := strings.Cut(d.Tenants[0].Domains[0], ".")
	found.authority = "https://" + strings.ToLower(subdomain) + ".ciamlogin.com"
	found.aliases = nil
	found.externalID = true
	return found, err
}

// profile returns the hosts and names of the configured cloud. The directory must be checked.
func (c *Config) profile() (profile, error) {
	if c.Cloud == ExternalID {
		return externalProfile(&c.Directory)
	}
	return c.Cloud.profile()
}

func (c Cloud) profile() (profile, error) {
	switch c {
	case PublicCloud:
		return profile{
			authority:    "https://login.microsoftonline.com",
			graph:        "https://graph.microsoft.com",
			sts:          "https://sts.windows.net",
			instance:     "microsoftonline.com",
			azureADGraph: "graph.windows.net",
			rbac:         "https://pas.windows.net",
			mtls:         "https://mtlsauth.microsoft.com",
			devicePage:   "https://login.microsoft.com/device",
			aliases: []string{
				"login.microsoftonline.com",
				"login.windows.net",
				"login.microsoft.com",
				"sts.windows.net",
			},
		}, nil
	case USGov, USGovDoD:
		graph := "https://graph.microsoft.us"
		if c == USGovDoD {
			graph = "https://dod-graph.microsoft.us"
		}
		return profile{
			authority:    "https://login.microsoftonline.us",
			graph:        graph,
			sts:          "https://sts.windows.net",
			instance:     "microsoftonline.us",
			azureADGraph: "graph.windows.net",
			rbac:         "https://pasff.usgovcloudapi.net",
			mtls:         "https://mtlsauth.microsoft.us",           // L
			devicePage:   "https://login.microsoftonline.us/device", // L
			aliases:      []string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		}, nil
	case China:
		return profile{
			authority:    "https://login.partner.microsoftonline.cn",
			graph:        "https://microsoftgraph.chinacloudapi.cn",
			sts:          "https://sts.chinacloudapi.cn",
			instance:     "partner.microsoftonline.cn",
			azureADGraph: "graph.chinacloudapi.cn",
			rbac:         "https://pas.chinacloudapi.cn",
			mtls:         "https://mtlsauth.partner.microsoftonline.cn",     // L
			devicePage:   "https://login.partner.microsoftonline.cn/device", // L
			aliases:      []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"},
		}, nil
	}
	return profile{}, fmt.Errorf("fakeentra: want %q, %q, %q or %q as cloud, or nothing for the public cloud; got %q",
		USGov, USGovDoD, China, ExternalID, c)
}
