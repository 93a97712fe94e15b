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

// Settings are what the program was told, by .env, the environment and flags. Values are checked
// where they are used; here it is only decided whose word counts.
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
	limits                                                                     guard.Limits
	store, keysFile                                                            string
	trustFakeKeys                                                              bool
}

// keys are all the settings that can stand in .env or the environment.
var keys = []string{
	"AUTH_TENANT_ID", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET",
	"AUTH_AUTHORITY", "AUTH_GRAPH_URL", "AUTH_CA_FILE", "AUTH_REDIRECT_URI",
	"AUTH_MODE", "AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION",
	"AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
	"MCP_ADDR", "MCP_PUBLIC_URL", "MCP_PATH", "MCP_ALLOWED_ORIGINS",
	"MCP_UPSTREAM", "MCP_UPSTREAM_HEADERS", "MCP_UPSTREAM_QUERY", "MCP_STATEFUL", "MCP_LEGACY_SSE", "MCP_MAX_CALL",
	"MCP_CALLER_SESSIONS", "MCP_CALLER_STREAMS", "MCP_CALLER_CALLS",
	"MCP_TOTAL_SESSIONS", "MCP_TOTAL_STREAMS", "MCP_TOTAL_CALLS", "MCP_BATCH_ANSWERS",
	"STORE_URL", "MCP_KEYS_FILE", "MCP_TRUSTED_PROXIES", "MCP_REGISTRATIONS_PER_MINUTE",
}

// readSettings reads the file, lets the environment win over it and flags over both.
func readSettings(flags flagValues, given func(flag string) bool, environ []string,
	logger *slog.Logger) (*settings, error) {
	v, err := readValues(flags, given, environ, logger)
	if err != nil {
		return nil, err
	}
	s := &settings{
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
	return s, v.explain(s.read())
}

// read reads what is more than a text.
func (s *settings) read() (err error) {
	s.allowedOrigins = list(s.get("MCP_ALLOWED_ORIGINS"))
	if s.trustedProxies, err = clientip.ParseProxies(list(s.get("MCP_TRUSTED_PROXIES"))); err != nil {
		return fmt.Errorf("MCP_TRUSTED_PROXIES: %w", err)
	}
	if err := s.readMode(); err != nil {
		return err
	}
	if err := s.readEndpoint(); err != nil {
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
	if s.publicURL == "" && !loopbackHost(s.address) {
		return s.wrong("MCP_PUBLIC_URL", "is missing: the server listens on %s (%s), where clients come through "+
			"something in front; write the https URL that they use", s.address, s.origin("MCP_ADDR"))
	}
	return nil
}

// directKeys mean something in direct mode only. In broker mode one of them is a mistake that must
// not be passed over: a person who lists tenants believes that others are refused.
var directKeys = []string{
	"AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION",
	"AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
}

// readMode reads whose tokens are taken.
func (s *settings) readMode() error {
	switch mode := s.get("AUTH_MODE"); mode {
	case "", "broker":
		for _, key := range directKeys {
			if s.get(key) != "" {
				return s.wrong(key, "is for AUTH_MODE=direct: in broker mode the people of AUTH_TENANT_ID sign in, "+
					"with tokens of this server's own")
			}
		}
		return nil
	case "direct":
	default:
		return s.wrong("AUTH_MODE", "is %q: write broker or direct", mode)
	}
	if s.redirectURI != "" {
		return s.wrong("AUTH_REDIRECT_URI", "is for AUTH_MODE=broker: in direct mode this server sends nobody "+
			"to sign in")
	}
	s.direct = &server.Direct{
		IdentifierURI: s.get("AUTH_AUDIENCE"),
		Tenants:       list(s.get("AUTH_ALLOWED_TENANTS")),
		Clients:       list(s.get("AUTH_ALLOWED_CLIENTS")),
		AppRoles:      list(s.get("AUTH_APP_ROLES")),
	}
	if text := s.get("AUTH_CONFIDENTIAL_CLIENTS"); text != "" {
		only, err := strconv.ParseBool(text)
		if err != nil {
			return s.wrong("AUTH_CONFIDENTIAL_CLIENTS", "is %q: write true or false", text)
		}
		s.direct.ConfidentialClients = only
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

// readEndpoint reads what stands behind the guard, and how it is served.
func (s *settings) readEndpoint() (err error) {
	for key, into := range map[string]*bool{"MCP_STATEFUL": &s.stateful, "MCP_LEGACY_SSE": &s.legacySSE} {
		if text := s.get(key); text != "" {
			if *into, err = strconv.ParseBool(text); err != nil {
				return s.wrong(key, "is %q: write true or false", text)
			}
		}
	}
	if text := s.get("MCP_MAX_CALL"); text != "" {
		if s.maxCall, err = time.ParseDuration(text); err != nil || s.maxCall <= 0 {
			return s.wrong("MCP_MAX_CALL", "is %q: write a time such as 90s, 10m or 2h", text)
		}
	}
	if text := s.get("MCP_REGISTRATIONS_PER_MINUTE"); text != "" {
		s.registrations, err = strconv.Atoi(text)
		if err != nil || s.registrations < 1 || s.registrations > maxLimit {
			return s.wrong("MCP_REGISTRATIONS_PER_MINUTE", "is %q: write a number from 1 to %d, such as 120",
				text, maxLimit)
		}
	}
	for key, into := range map[string]*[]string{
		"MCP_UPSTREAM_HEADERS": &s.upstreamHeaders,
		"MCP_UPSTREAM_QUERY":   &s.upstreamQuery,
	} {
		if *into = list(s.get(key)); len(*into) > 0 && s.upstream == "" {
			return s.wrong(key, "is for MCP_UPSTREAM, which is not set: set that too, or remove this")
		}
	}
	if err := s.readLimits(); err != nil {
		return err
	}
	if s.upstream != "" && s.legacySSE {
		return s.wrong("MCP_LEGACY_SSE", "is for the tools of this program, and MCP_UPSTREAM puts another "+
			"server in their place")
	}
	return nil
}

// readLimits reads what callers may have at once.
func (s *settings) readLimits() error {
	for key, into := range map[string]*int{
		"MCP_CALLER_SESSIONS": &s.limits.CallerSessions,
		"MCP_TOTAL_SESSIONS":  &s.limits.TotalSessions,
		"MCP_CALLER_STREAMS":  &s.limits.CallerStreams,
		"MCP_TOTAL_STREAMS":   &s.limits.TotalStreams,
		"MCP_CALLER_CALLS":    &s.limits.CallerCalls,
		"MCP_TOTAL_CALLS":     &s.limits.TotalCalls,
	} {
		text := s.get(key)
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > maxLimit {
			return s.wrong(key, "is %q: write a number from 1 to %d", text, maxLimit)
		}
		*into = number
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

// These keep a typing error from meaning no limit.
const (
	maxLimit        = 1_000_000
	maxBatchAnswers = 1 << 30
)

// list splits at commas and blanks.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// registration is the app registration that signs people in.
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

// apiScopes are the scopes of direct mode; each lets the tools ask Graph for the person's profile.
func (s *settings) apiScopes() []broker.Scope {
	var all []broker.Scope
	for _, name := range s.scopes {
		all = append(
			all,
			broker.Scope{Name: name, Description: "use its tools for you", Upstream: []string{"User.Read"}},
		)
	}
	return all
}

func loopbackHost(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback.IsHost(host)
}
