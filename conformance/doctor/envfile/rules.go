package envfile

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcpentra/conformance/doctor"
)

// A rule is about the value of one setting.
type rule struct {
	key string
	// problem continues "KEY (line 3) …", or is "" for a good value. It quotes no secret.
	problem func(e *exam, value string) string
	// example is a good value.
	example string
	// page is the portal page that shows the value, and copied its name there.
	page, copied string
}

// rules are the forms of values. A setting that is missing or empty has no form.
var rules = []rule{
	{"AUTH_TENANT_ID", wrongTenant, "DIRECTORY-TENANT-ID", "Overview", "copy the Directory (tenant) ID"},
	{"AUTH_CLIENT_ID", wrongClient, "APPLICATION-CLIENT-ID", "Overview",
		"copy the Application (client) ID, not the Object ID"},
	{"AUTH_CLIENT_SECRET", wrongSecret, "'VALUE-OF-THE-SECRET'", "Certificates & secrets > Client secrets",
		"make a new client secret and copy its Value, not its Secret ID"},
	{"AUTH_AUTHORITY", wrongAuthority, "login.microsoftonline.com", "", ""},
	{"AUTH_GRAPH_URL", wrongGraph, "http://localhost:8400", "", ""},
	{"AUTH_MODE", oneOf("broker", "direct"), "broker", "", ""},
	{"AUTH_AUDIENCE", wrongAudience, "api://APPLICATION-CLIENT-ID", "Expose an API", "copy the Application ID URI"},
	{"AUTH_TOKEN_VERSION", listOf("1", "2"), "2", "Manifest", "look for requestedAccessTokenVersion; null means 1"},
	{"AUTH_ALLOWED_TENANTS", wrongIDs, "DIRECTORY-TENANT-ID", "", ""},
	{"AUTH_ALLOWED_CLIENTS", wrongIDs, "APPLICATION-CLIENT-ID", "", ""},
	{"AUTH_CONFIDENTIAL_CLIENTS", wrongBool, "true", "", ""},
	{"AUTH_REGISTRATION", oneOf("open", "off", "token"), "open", "", ""},
	{"AUTH_ASSERTION_AUDIENCE", oneOf("issuer", "token-endpoint"), "issuer", "", ""},
	{"MCP_ADDR", wrongAddress, "localhost:8000", "", ""},
	{"MCP_ADMIN_ADDR", wrongAddress, "localhost:8001", "", ""},
	{"MCP_PUBLIC_URL", wrongPublicURL, "https://mcp.example.com", "", ""},
	{"MCP_PATH", wrongPath, "/mcp", "", ""},
	{"MCP_UPSTREAM", wrongUpstream, "http://localhost:9000/mcp", "", ""},
	{"MCP_STATEFUL", wrongBool, "true", "", ""},
	{"MCP_LEGACY_SSE", wrongBool, "true", "", ""},
	{"MCP_MAX_CALL", wrongDuration, "10m", "", ""},
	{"MCP_ALLOWED_ORIGINS", wrongOrigins, "https://inspector.example", "", ""},
	{"MCP_TRUSTED_PROXIES", wrongProxies, "127.0.0.1, 10.0.0.0/8", "", ""},
	{"STORE_MAX_RECORDS", between(1000, 100_000_000), "200000", "", ""},
	{"MCP_BATCH_ANSWERS", between(1, 1<<30), "67108864", "", ""},
}

// limits are the settings that are a number up to a million.
var limits = []string{
	"MCP_CALLER_SESSIONS", "MCP_CALLER_STREAMS", "MCP_CALLER_CALLS", "MCP_TOTAL_SESSIONS", "MCP_TOTAL_STREAMS",
	"MCP_TOTAL_CALLS", "MCP_REGISTRATIONS_PER_MINUTE", "MCP_CLIENT_REQUESTS_PER_MINUTE",
	"MCP_WRONG_CREDENTIALS_PER_MINUTE", "MCP_PENDING_SIGN_INS", "MCP_FETCHES_AT_ONCE",
}

// checkSettings checks the form of each value, and which values go together.
func (e *exam) checkSettings(context.Context) bool {
	e.checkReferences()
	for _, rule := range rules {
		e.apply(rule)
	}
	for _, key := range limits {
		e.apply(rule{key: key, problem: between(1, 1_000_000), example: "100"})
	}
	e.checkRequired()
	e.checkTogether()
	e.checkAddresses()
	e.fine("settings-good", "every value has the right form")
	return true
}

func (e *exam) apply(rule rule) {
	value := e.get(rule.key)
	if value == "" || e.wrong[rule.key] {
		return
	}
	problem := rule.problem(e, value)
	if problem == "" {
		return
	}
	fixes := []doctor.Fix{e.write(rule.key, rule.example)}
	if rule.page != "" {
		fixes = append(fixes, e.portal(rule.page, rule.copied))
	}
	e.fault(rule.key, "value-form", e.at(rule.key)+" "+problem, "The server cannot use the value.", fixes...)
}

// These match references to variables. Other dollar signs can be part of a secret.
var (
	reference       = regexp.MustCompile(`\$[({A-Za-z_]|\\\$`)
	secretReference = regexp.MustCompile(`\$[({]|\\\$|^\$[A-Z_]+$`)
)

// checkReferences looks for variables, which nothing replaces, and for empty restrictions.
func (e *exam) checkReferences() {
	for _, key := range keys {
		found, present := e.set[key]
		if !present {
			continue
		}
		pattern := reference
		if key == "AUTH_CLIENT_SECRET" {
			pattern = secretReference
		}
		if !found.isLiteral && pattern.MatchString(found.value) {
			e.fault(key, "variable-reference", e.at(key)+" names a variable with a dollar sign",
				"The server replaces none, so the value would be the name. Between single quotes, a dollar sign is "+
					"part of the value.",
				e.write(key, "'VALUE'"))
		}
		if slices.Contains(restrictions, key) && !strings.ContainsFunc(found.value, isWordRune) {
			e.fault(key, "restriction-empty", e.at(key)+" is set but empty",
				"An empty list would restrict nothing, so the server does not start.",
				e.remove(key), e.line(key, key+"=THE-LIST"))
		}
	}
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '*' || r == ':'
}

// checkRequired wants tenant, client and one credential.
func (e *exam) checkRequired() {
	for _, key := range []string{"AUTH_TENANT_ID", "AUTH_CLIENT_ID"} {
		if e.get(key) != "" || e.wrong[key] {
			continue
		}
		i := slices.IndexFunc(rules, func(r rule) bool { return r.key == key })
		e.fault(key, "setting-missing", key+" is missing", "The server does not start without it.",
			e.write(key, rules[i].example), e.portal(rules[i].page, rules[i].copied))
	}
	credentials := e.credentials()
	switch {
	case len(credentials) > 1:
		e.fault(credentials[1], "two-credentials", e.at(credentials[0])+" and "+e.at(credentials[1])+" are both set",
			"The server proves itself with one credential, and does not guess which.", e.remove(credentials[1]))
	case len(credentials) == 0 && !e.isDirect() && !e.wrong["AUTH_CLIENT_SECRET"]:
		e.fault("AUTH_CLIENT_SECRET", "credential-missing", "no credential is set",
			"In broker mode the server redeems codes at Entra, which needs a credential.",
			e.write("AUTH_CLIENT_SECRET", "'VALUE-OF-THE-SECRET'"),
			e.portal("Certificates & secrets > Client secrets > New client secret", "copy the Value of the new secret"))
	}
}

// credentialKeys are the settings that prove the registration.
var credentialKeys = []string{
	"AUTH_CLIENT_SECRET", "AUTH_CLIENT_SECRET_FILE", "AUTH_CERTIFICATE_FILE", "AUTH_FEDERATED_TOKEN_FILE",
	"AUTH_MANAGED_IDENTITY",
}

// credentials returns the settings that prove the registration, and are set.
func (e *exam) credentials() []string {
	return slices.DeleteFunc(slices.Clone(credentialKeys), func(key string) bool { return e.get(key) == "" })
}

// directKeys are the settings of direct mode, and brokerKeys the ones of broker mode.
var (
	directKeys = []string{
		"AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION", "AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS",
		"AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
	}
	brokerKeys = []string{
		"AUTH_REDIRECT_URI", "AUTH_CLIENTS_FILE", "AUTH_RESOURCES_FILE", "AUTH_CLIENT_DOCUMENTS", "AUTH_REGISTRATION",
		"AUTH_REGISTRATION_TOKEN_FILE", "AUTH_REGISTRATION_REDIRECTS", "AUTH_PRIVATE_USE_REDIRECTS",
		"AUTH_ASSERTION_AUDIENCE", "MCP_ADMIN_ADDR", "MCP_ADMIN_SECRET_FILE",
	}
)

// needs are settings that make sense only beside another one.
var needs = []struct {
	key, other string
	isNeeded   func(e *exam) bool
	example    string
}{
	{"MCP_UPSTREAM_HEADERS", "MCP_UPSTREAM", nil, "http://localhost:9000/mcp"},
	{"MCP_UPSTREAM_QUERY", "MCP_UPSTREAM", nil, "http://localhost:9000/mcp"},
	{"MCP_ADMIN_ADDR", "MCP_ADMIN_SECRET_FILE", nil, "admin.secret"},
	{"MCP_ADMIN_SECRET_FILE", "MCP_ADMIN_ADDR", nil, "localhost:8001"},
	{"AUTH_REGISTRATION_TOKEN_FILE", "AUTH_REGISTRATION", (*exam).registersWithoutToken, "token"},
	{"AUTH_REGISTRATION", "AUTH_REGISTRATION_TOKEN_FILE", (*exam).registersWithToken, "registration.token"},
}

func (e *exam) registersWithToken() bool {
	return e.get("AUTH_REGISTRATION") == "token" && e.get("AUTH_REGISTRATION_TOKEN_FILE") == ""
}

func (e *exam) registersWithoutToken() bool { return e.get("AUTH_REGISTRATION") != "token" }

// checkTogether looks for settings that exclude or need each other.
func (e *exam) checkTogether() {
	foreign := directKeys
	mode := "direct"
	if e.isDirect() {
		foreign = brokerKeys
		mode = "broker"
	}
	for _, key := range foreign {
		if e.get(key) != "" && !e.wrong[key] {
			e.fault(key, "other-mode", e.at(key)+" is for AUTH_MODE="+mode, "The server does not start, because the "+
				"setting would have no effect in its mode.", e.remove(key), e.write("AUTH_MODE", mode))
		}
	}
	for _, need := range needs {
		isMissing := e.get(need.other) == ""
		if need.isNeeded != nil {
			isMissing = need.isNeeded(e)
		}
		if e.get(need.key) != "" && !e.wrong[need.key] && isMissing {
			e.fault(need.key, "setting-alone", e.at(need.key)+" needs "+need.other,
				"The server does not start with one of "+
					"them alone.", e.write(need.other, need.example), e.remove(need.key))
		}
	}
	if isTrue, _ := strconv.ParseBool(e.get("MCP_LEGACY_SSE")); isTrue && e.get("MCP_UPSTREAM") != "" {
		e.fault("MCP_LEGACY_SSE", "other-tools",
			e.at("MCP_LEGACY_SSE")+" is for the tools of the program, and MCP_UPSTREAM "+
				"replaces them", "The server does not start with both.", e.remove("MCP_LEGACY_SSE"))
	}
}

// publicURL returns the origin of the server, or "" if it is not known.
func (e *exam) publicURL() string {
	if e.get("MCP_PUBLIC_URL") != "" {
		parsed, err := url.Parse(e.get("MCP_PUBLIC_URL"))
		if err != nil {
			return ""
		}
		origin := strings.ToLower(parsed.Scheme + "://" + parsed.Host)
		return strings.TrimSuffix(origin, map[string]string{"https": ":443", "http": ":80"}[parsed.Scheme])
	}
	address := e.get("MCP_ADDR")
	if address == "" {
		address = "localhost:8000"
	}
	if host, port, err := net.SplitHostPort(address); err == nil && port != "0" && isLocal(host) {
		return "http://" + address
	}
	return ""
}

// callback is the path to which Entra sends the browser back.
const callback = "/auth/callback"

// redirectURI returns the redirect URI of the server, or "" if it is not known.
func (e *exam) redirectURI() string {
	if origin := e.publicURL(); origin != "" {
		return origin + callback
	}
	return e.get("AUTH_REDIRECT_URI")
}

// checkAddresses compares the addresses of the server with each other.
func (e *exam) checkAddresses() {
	if e.wrong["MCP_PUBLIC_URL"] || e.wrong["MCP_ADDR"] {
		return
	}
	host, _, err := net.SplitHostPort(e.get("MCP_ADDR"))
	if err == nil && !isLocal(host) && e.get("MCP_PUBLIC_URL") == "" {
		e.fault("MCP_PUBLIC_URL", "public-url-missing", "MCP_PUBLIC_URL is missing, and "+e.at("MCP_ADDR")+
			" is not on loopback",
			"Clients reach the server through a TLS proxy, whose address the server cannot know.",
			e.write("MCP_PUBLIC_URL", "https://mcp.example.com"))
	}
	redirect := e.get("AUTH_REDIRECT_URI")
	want := e.redirectURI()
	if redirect == "" || e.wrong["AUTH_REDIRECT_URI"] || redirect == want {
		return
	}
	e.fault("AUTH_REDIRECT_URI", "redirect-elsewhere", fmt.Sprintf("%s is %s, but the server answers at %s",
		e.at("AUTH_REDIRECT_URI"), e.address(redirect), want),
		"Entra would send people to an address where the server "+
			"does not take the code.", e.write("AUTH_REDIRECT_URI", want),
		e.write("MCP_PUBLIC_URL", originOf(redirect)))
}

// originOf returns the origin of an address.
func originOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return "https://mcp.example.com"
	}
	return parsed.Scheme + "://" + parsed.Host
}

// address shows a URL without passwords and parameters.
func (e *exam) address(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		return "no URL"
	}
	return e.secrets.Shown((&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String())
}
