package envfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A cloud is a separate instance of Entra.
type cloud struct {
	host    string
	aliases []string
	graph   string
	name    string
}

// clouds are the clouds that the server knows.
var clouds = []cloud{
	{
		"login.microsoftonline.com",
		[]string{"login.windows.net", "login.microsoft.com"},
		"https://graph.microsoft.com",
		"the public cloud",
	},
	{
		"login.microsoftonline.us",
		[]string{"login.usgovcloudapi.net"},
		"https://graph.microsoft.us",
		"the cloud of the US Government",
	},
	{
		"login.partner.microsoftonline.cn",
		[]string{"login.chinacloudapi.cn"},
		"https://microsoftgraph.chinacloudapi.cn",
		"the cloud of China",
	},
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// authority returns the origin of Entra, and the cloud if it is one. A fake has no cloud.
func (e *exam) authority() (string, *cloud) {
	text := e.get("AUTH_AUTHORITY")
	if text == "" {
		return "https://" + clouds[0].host, &clouds[0]
	}
	parsed, err := parseAuthority(text)
	if err != nil {
		return "", nil
	}
	for i, known := range clouds {
		if slices.Contains(append([]string{known.host}, known.aliases...), strings.ToLower(parsed.Hostname())) {
			return "https://" + known.host, &clouds[i]
		}
	}
	return parsed.Scheme + "://" + strings.ToLower(parsed.Host), nil
}

func parseAuthority(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	parsed, err := url.Parse(text)
	if err == nil && parsed.Host == "" {
		err = errors.New("the URL has no host")
	}
	return parsed, err
}

func wrongAuthority(_ *exam, value string) string {
	parsed, err := parseAuthority(value)
	if err != nil {
		return "is not a host"
	}
	isCloud := slices.ContainsFunc(clouds, func(c cloud) bool {
		return slices.Contains(append([]string{c.host}, c.aliases...), strings.ToLower(parsed.Hostname()))
	})
	isBare := strings.Trim(parsed.Path, "/") == "" && parsed.RawQuery == "" && parsed.Fragment == "" &&
		parsed.User == nil
	switch {
	case !isBare:
		return "has more than a host: the tenant belongs in AUTH_TENANT_ID"
	case parsed.Scheme != "https" && !(parsed.Scheme == "http" && isLocal(parsed.Hostname())):
		return "is not https"
	case !isCloud && !isLocal(parsed.Hostname()):
		return "names no cloud of Entra, and no fake on loopback"
	case isCloud && parsed.Port() != "" && parsed.Port() != "443":
		return "has a port, and Entra has its own"
	}
	return ""
}

func wrongGraph(_ *exam, value string) string {
	parsed, err := url.Parse(value)
	isWeb := err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https")
	if !isWeb || !isLocal(parsed.Hostname()) {
		return "is not a URL on loopback: for a tenant, the address of Graph follows from the cloud"
	}
	return ""
}

// A tenantDocument is what the examination needs of a discovery document.
type tenantDocument struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	CloudInstance string `json:"cloud_instance_name"`
	GraphHost     string `json:"msgraph_host"`
	RegionScope   string `json:"tenant_region_scope"`
}

// checkTenant reads the discovery document of the tenant.
func (e *exam) checkTenant(ctx context.Context) bool {
	tenant := strings.ToLower(e.get("AUTH_TENANT_ID"))
	authority, home := e.authority()
	unusable := e.wrong["AUTH_TENANT_ID"] || e.wrong["AUTH_AUTHORITY"] || e.wrong["AUTH_CA_FILE"]
	if tenant == "" || authority == "" || unusable {
		return true
	}
	e.client = e.newClient()
	answer, err := e.discover(ctx, authority, tenant)
	if err != nil {
		e.unreachable(authority, err)
		return false
	}
	e.did("GET %s/%s/v2.0/.well-known/openid-configuration: %d", authority, tenant, answer.status)
	if answer.status != http.StatusOK {
		e.noTenant(ctx, authority, tenant, home, answer)
		return true
	}
	document := &tenantDocument{}
	if err := json.Unmarshal(answer.body, document); err != nil || !isTenantOf(document, authority, tenant) {
		e.fault("AUTH_AUTHORITY", "tenant-document",
			fmt.Sprintf("%s does not answer like Entra: the discovery document "+
				"cannot be read, or names another issuer", authority), "The server trusts tokens of this issuer alone.",
			e.remove("AUTH_AUTHORITY"), e.write("AUTH_AUTHORITY", clouds[0].host))
		return true
	}
	e.tenant = document
	if other := cloudOf(document.CloudInstance); home != nil && other != nil && other != home {
		e.fault("AUTH_AUTHORITY", "tenant-in-other-cloud", fmt.Sprintf("the tenant is in %s, and the authority is %s",
			other.name, home.host), "Entra answers AADSTS90038 to sign-ins at the wrong cloud.",
			e.write("AUTH_AUTHORITY", other.host))
		return true
	}
	e.fine("tenant-found", "the tenant exists: "+e.secrets.Shown(document.Issuer))
	return true
}

// isTenantOf reports whether a document is about the asked tenant at the asked authority.
func isTenantOf(document *tenantDocument, authority, tenant string) bool {
	id, found := strings.CutPrefix(document.Issuer, authority+"/")
	id, isV2 := strings.CutSuffix(id, "/v2.0")
	isSame := !isGUID(tenant) || id == tenant
	endpoints := strings.HasPrefix(document.Authorization, authority+"/") &&
		strings.HasPrefix(document.Token, authority+"/")
	return found && isV2 && isGUID(id) && isSame && endpoints
}

// cloudOf returns the cloud that a discovery document names, or nil.
func cloudOf(instance string) *cloud {
	for i, known := range clouds {
		if instance != "" && strings.HasSuffix(known.host, strings.TrimPrefix(instance, "login.")) {
			return &clouds[i]
		}
	}
	return nil
}

// unreachable ends the examination: Entra gives no answer.
func (e *exam) unreachable(authority string, err error) {
	e.report.Answers = false
	e.fault("AUTH_AUTHORITY", "entra-unreachable", e.secrets.Shown(fmt.Sprintf("%s gives no answer: %v", authority,
		err)),
		"The server cannot sign people in without Entra.",
		e.line("AUTH_AUTHORITY", "check the spelling; for a fake, start it"),
		e.line("AUTH_CA_FILE", "name the authorities of a proxy that inspects TLS"))
}

// noTenant reports an unknown tenant. It asks the other clouds for it.
func (e *exam) noTenant(ctx context.Context, authority, tenant string, home *cloud, answer *answer) {
	if home != nil {
		for i := range clouds {
			other := &clouds[i]
			if other == home {
				continue
			}
			there, err := e.discover(ctx, "https://"+other.host, tenant)
			if err == nil && there.status == http.StatusOK {
				e.fault("AUTH_AUTHORITY", "tenant-in-other-cloud",
					fmt.Sprintf("%s does not know the tenant, and %s does",
						home.host, other.host), "The tenant is in "+other.name+".",
					e.write("AUTH_AUTHORITY", other.host))
				return
			}
		}
	}
	page := e.portal("Overview", "copy the Directory (tenant) ID")
	if e.refused("AUTH_TENANT_ID", answer, e.write("AUTH_TENANT_ID", "DIRECTORY-TENANT-ID"), page) {
		return
	}
	e.fault("AUTH_TENANT_ID", "tenant-unknown", fmt.Sprintf("%s answers %d to the tenant", authority, answer.status),
		"Without the discovery document no sign-in works.", e.write("AUTH_TENANT_ID", "DIRECTORY-TENANT-ID"), page)
}

// discover asks for the discovery document of a tenant.
func (e *exam) discover(ctx context.Context, authority, tenant string) (*answer, error) {
	return e.fetch(ctx, authority+"/"+url.PathEscape(tenant)+"/v2.0/.well-known/openid-configuration")
}
