package main

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/loopback"
)

type flagValues struct {
	envFile, address, publicURL, store, upstream string
	trustFakeKeys, verbose                       bool
}

// settings are the parsed settings. values decides which of flag, environment and file counts for
// each; read refuses values that mean nothing. The library checks the rest, such as URLs and IDs.
type settings struct {
	*values
	tenantID, clientID, clientSecret, authority, graphURL, caFile, redirectURI string
	address, publicURL, path                                                   string
	allowedOrigins                                                             []string
	trustedProxies                                                             clientip.Proxies
	direct                                                                     *server.Direct
	scopes                                                                     []string
	upstream                                                                   string
	upstreamHeaders, upstreamQuery                                             []string
	stateful, legacySSE                                                        bool
	maxCall                                                                    time.Duration
	registrations                                                              int
	brokerLimits                                                               broker.Limits
	limits                                                                     guard.Limits
	store, keysFile                                                            string
	maxRecords                                                                 int // of each kind
	clients                                                                    broker.ClientPolicy
	resources                                                                  []broker.Resource
	trustFakeKeys                                                              bool
	credentialKey                                                              string // "" means none
	admin                                                                      adminSettings
}

// keys are the names of all settings in .env or the environment.
var keys = []string{
	"AUTH_TENANT_ID", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET", "AUTH_CLIENT_SECRET_FILE",
	"AUTH_CERTIFICATE_FILE", "AUTH_FEDERATED_TOKEN_FILE", "AUTH_MANAGED_IDENTITY",
	"AUTH_AUTHORITY", "AUTH_GRAPH_URL", "AUTH_CA_FILE", "AUTH_REDIRECT_URI",
	"AUTH_MODE", "AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION",
	"AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
	"AUTH_CLIENTS_FILE", "AUTH_REGISTRATION", "AUTH_REGISTRATION_TOKEN_FILE", "AUTH_REGISTRATION_REDIRECTS",
	"AUTH_PRIVATE_USE_REDIRECTS", "AUTH_CLIENT_DOCUMENTS", "AUTH_ASSERTION_AUDIENCE", "AUTH_RESOURCES_FILE",
	"MCP_ADDR", "MCP_PUBLIC_URL", "MCP_PATH", "MCP_ALLOWED_ORIGINS",
	"MCP_UPSTREAM", "MCP_UPSTREAM_HEADERS", "MCP_UPSTREAM_QUERY", "MCP_STATEFUL", "MCP_LEGACY_SSE", "MCP_MAX_CALL",
	"MCP_CALLER_SESSIONS", "MCP_CALLER_STREAMS", "MCP_CALLER_CALLS",
	"MCP_TOTAL_SESSIONS", "MCP_TOTAL_STREAMS", "MCP_TOTAL_CALLS", "MCP_BATCH_ANSWERS",
	"MCP_ADMIN_ADDR", "MCP_ADMIN_SECRET_FILE",
	"STORE_URL", "STORE_MAX_RECORDS", "MCP_KEYS_FILE", "MCP_TRUSTED_PROXIES", "MCP_REGISTRATIONS_PER_MINUTE",
	"MCP_CLIENT_REQUESTS_PER_MINUTE", "MCP_WRONG_CREDENTIALS_PER_MINUTE", "MCP_PENDING_SIGN_INS", "MCP_FETCHES_AT_ONCE",
}

// readSettings reads the file, the environment and the flags.
func readSettings(flags flagValues, given func(flag string) bool, environ []string,
	logger *slog.Logger) (*settings, error) {
	v, err := readValues(flags, given, environ, logger)
	if err != nil {
		return nil, err
	}
	s := newSettings(v, flags)
	return s, v.explain(s.read())
}

// newSettings takes over the settings that are a text.
func newSettings(v *values, flags flagValues) *settings {
	return &settings{
		values:        v,
		tenantID:      v.get("AUTH_TENANT_ID"),
		clientID:      v.get("AUTH_CLIENT_ID"),
		clientSecret:  v.get("AUTH_CLIENT_SECRET"),
		authority:     v.get("AUTH_AUTHORITY"),
		graphURL:      v.get("AUTH_GRAPH_URL"),
		caFile:        v.get("AUTH_CA_FILE"),
		redirectURI:   v.get("AUTH_REDIRECT_URI"),
		address:       v.get("MCP_ADDR"),
		publicURL:     v.get("MCP_PUBLIC_URL"),
		path:          v.get("MCP_PATH"),
		upstream:      v.get("MCP_UPSTREAM"),
		store:         v.get("STORE_URL"),
		keysFile:      v.get("MCP_KEYS_FILE"),
		trustFakeKeys: flags.trustFakeKeys,
	}
}

// read parses the settings that are more than a text.
func (s *settings) read() (err error) {
	s.allowedOrigins = list(s.get("MCP_ALLOWED_ORIGINS"))
	s.trustedProxies, err = clientip.ParseProxies(list(s.get("MCP_TRUSTED_PROXIES")))
	if err != nil {
		return fmt.Errorf("MCP_TRUSTED_PROXIES: %w", err)
	}
	if err := s.readMode(); err != nil {
		return err
	}
	if err := s.readClients(); err != nil {
		return err
	}
	if err := s.readResources(); err != nil {
		return err
	}
	if err := s.readEndpoint(); err != nil {
		return err
	}
	if err := s.readCredentials(); err != nil {
		return err
	}
	if err := s.readMaxRecords(); err != nil {
		return err
	}
	if s.tenantID == "" && s.clientID == "" && s.clientSecret == "" {
		return s.wrong("AUTH_TENANT_ID", "%s", sayNotConfigured)
	}
	if s.address == "" {
		s.address = "localhost:8000"
	}
	if _, _, err := net.SplitHostPort(s.address); err != nil {
		return s.wrong("MCP_ADDR", "is %q: write HOST:PORT, such as localhost:8000", s.address)
	}
	if err := s.readAdmin(); err != nil {
		return err
	}
	if s.publicURL == "" && !loopbackHost(s.address) {
		return s.wrong("MCP_PUBLIC_URL", "is missing: the server listens on %s (%s), so clients reach it through "+
			"a TLS proxy; write the https URL that they use", s.address, s.origin("MCP_ADDR"))
	}
	return nil
}

// directKeys are settings of direct mode. In broker mode they are an error: a person who lists
// tenants expects that others are refused.
var directKeys = []string{
	"AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION",
	"AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
}

// readMode reads which tokens the server accepts.
func (s *settings) readMode() error {
	switch mode := s.get("AUTH_MODE"); mode {
	case "", "broker":
		for _, key := range directKeys {
			if s.get(key) != "" {
				return s.wrong(key, "is for AUTH_MODE=direct: in broker mode the people of AUTH_TENANT_ID sign in, "+
					"and the server accepts only its own tokens")
			}
		}
		return nil
	case "direct":
	default:
		return s.wrong("AUTH_MODE", "is %q: write broker or direct", mode)
	}
	if s.redirectURI != "" {
		return s.wrong("AUTH_REDIRECT_URI", "is for AUTH_MODE=broker: in direct mode this server sends no browser "+
			"to Entra; remove it")
	}
	s.direct = &server.Direct{
		IdentifierURI: s.get("AUTH_AUDIENCE"),
		Tenants:       list(s.get("AUTH_ALLOWED_TENANTS")),
		Clients:       list(s.get("AUTH_ALLOWED_CLIENTS")),
		AppRoles:      list(s.get("AUTH_APP_ROLES")),
	}
	if err := s.readBool("AUTH_CONFIDENTIAL_CLIENTS", &s.direct.ConfidentialClients); err != nil {
		return err
	}
	s.scopes = list(s.get("AUTH_SCOPES"))
	for _, version := range list(s.get("AUTH_TOKEN_VERSION")) {
		number, err := strconv.Atoi(version)
		if err != nil {
			return s.wrong("AUTH_TOKEN_VERSION", "is %q: write 1, 2 or both", version)
		}
		s.direct.TokenVersions = append(s.direct.TokenVersions, number)
	}
	return nil
}

// readBool parses a setting that is true or false. It changes nothing if the setting is missing.
func (s *settings) readBool(key string, into *bool) error {
	text := s.get(key)
	if text == "" {
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return s.wrong(key, "is %q: write true or false", text)
	}
	*into = on
	return nil
}

// readEndpoint reads the settings of the MCP endpoint.
func (s *settings) readEndpoint() error {
	if err := s.readBool("MCP_STATEFUL", &s.stateful); err != nil {
		return err
	}
	if err := s.readBool("MCP_LEGACY_SSE", &s.legacySSE); err != nil {
		return err
	}
	if text := s.get("MCP_MAX_CALL"); text != "" {
		duration, err := time.ParseDuration(text)
		if err != nil || duration <= 0 {
			return s.wrong("MCP_MAX_CALL", "is %q: write a time such as 90s, 10m or 2h", text)
		}
		s.maxCall = duration
	}
	if err := s.readUpstreamLists(); err != nil {
		return err
	}
	if err := s.readLimits(); err != nil {
		return err
	}
	if s.upstream != "" && s.legacySSE {
		return s.wrong("MCP_LEGACY_SSE", "is for the tools of this program, and MCP_UPSTREAM replaces them: "+
			"remove one of the two")
	}
	return nil
}

func (s *settings) readUpstreamLists() error {
	s.upstreamHeaders = list(s.get("MCP_UPSTREAM_HEADERS"))
	s.upstreamQuery = list(s.get("MCP_UPSTREAM_QUERY"))
	if s.upstream != "" {
		return nil
	}
	for _, key := range []string{"MCP_UPSTREAM_HEADERS", "MCP_UPSTREAM_QUERY"} {
		if len(list(s.get(key))) > 0 {
			return s.wrong(key, "is for MCP_UPSTREAM, which is not set: set that too, or remove this")
		}
	}
	return nil
}

// readLimits reads how much callers may have at once, and how much a network may register.
func (s *settings) readLimits() error {
	for _, limit := range []struct {
		key     string
		into    *int
		example string
	}{
		{"MCP_REGISTRATIONS_PER_MINUTE", &s.registrations, ", such as 120"},
		{"MCP_CLIENT_REQUESTS_PER_MINUTE", &s.brokerLimits.ClientPerMinute, ", such as 60"},
		{"MCP_WRONG_CREDENTIALS_PER_MINUTE", &s.brokerLimits.WrongPerMinute, ", such as 10"},
		{"MCP_PENDING_SIGN_INS", &s.brokerLimits.Pending, ", such as 10000"},
		{"MCP_FETCHES_AT_ONCE", &s.brokerLimits.FetchesAtOnce, ", such as 32"},
		{"MCP_CALLER_SESSIONS", &s.limits.CallerSessions, ""},
		{"MCP_TOTAL_SESSIONS", &s.limits.TotalSessions, ""},
		{"MCP_CALLER_STREAMS", &s.limits.CallerStreams, ""},
		{"MCP_TOTAL_STREAMS", &s.limits.TotalStreams, ""},
		{"MCP_CALLER_CALLS", &s.limits.CallerCalls, ""},
		{"MCP_TOTAL_CALLS", &s.limits.TotalCalls, ""},
	} {
		text := s.get(limit.key)
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > maxLimit {
			return s.wrong(limit.key, "is %q: write a number from 1 to %d%s", text, maxLimit, limit.example)
		}
		*limit.into = number
	}
	if text := s.get("MCP_BATCH_ANSWERS"); text != "" {
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || number < 1 || number > maxBatchAnswers {
			return s.wrong("MCP_BATCH_ANSWERS", "is %q: write a number of bytes from 1 to %d, such as %d", text,
				maxBatchAnswers, guard.DefaultBatchAnswers)
		}
		s.limits.BatchAnswers = number
	}
	return nil
}

// These bounds catch typing errors that would mean no limit.
const (
	maxLimit        = 1_000_000
	maxBatchAnswers = 1 << 30
)

// list splits at commas and blanks.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// registration returns the app registration.
func (s *settings) registration() entra.Config {
	return entra.Config{
		Authority:           s.authority,
		TenantID:            s.tenantID,
		ClientID:            s.clientID,
		ClientSecret:        s.clientSecret,
		RedirectURI:         s.redirectURI,
		GraphURL:            s.graphURL,
		TrustPublicFakeKeys: s.trustFakeKeys,
	}
}

// apiScopes returns the scopes of direct mode. With each, the tools may ask Graph for the person's
// profile.
func (s *settings) apiScopes() []broker.Scope {
	var all []broker.Scope
	for _, name := range s.scopes {
		all = append(all, broker.Scope{
			Name:        name,
			Description: "use its tools for you",
			Upstream:    []string{"User.Read"},
		})
	}
	return all
}

// loopbackHost reports whether an address HOST:PORT is on loopback.
func loopbackHost(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback.IsHost(host)
}
