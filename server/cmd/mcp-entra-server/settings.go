package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/joho/godotenv"

	"mcpentra/server"
	"mcpentra/server/broker"
	"mcpentra/server/clientip"
	"mcpentra/server/entra"
)

type flagValues struct {
	envFile, address, publicURL, store, upstream string
	trustFakeKeys, verbose                       bool
}

// Settings are what the program was told, by .env, the environment and flags. Values are checked where they are used;
// here it is only decided whose word counts.
type settings struct {
	tenantID, clientID, clientSecret, authority, graphURL, caFile, redirectURI string
	address, publicURL, path                                                   string
	allowedOrigins                                                             []string
	trustedProxies                                                             clientip.Proxies
	direct                                                                     *server.Direct
	scopes                                                                     []string
	upstream                                                                   string
	stateful, legacySSE                                                        bool
	maxCall                                                                    time.Duration
	store, keysFile                                                            string
	trustFakeKeys                                                              bool
}

// keys are all the settings that can stand in .env or the environment.
var keys = []string{
	"AUTH_TENANT_ID", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET", "AUTH_AUTHORITY", "AUTH_GRAPH_URL", "AUTH_CA_FILE", "AUTH_REDIRECT_URI", "AUTH_MODE",
	"AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION", "AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES",
	"MCP_ADDR", "MCP_PUBLIC_URL", "MCP_PATH", "MCP_ALLOWED_ORIGINS", "MCP_UPSTREAM", "MCP_STATEFUL", "MCP_LEGACY_SSE", "MCP_MAX_CALL", "STORE_URL", "MCP_KEYS_FILE",
	"MCP_TRUSTED_PROXIES",
}

// readSettings reads the file, lets the environment win over it and flags over both.
func readSettings(flags flagValues, given func(flag string) bool, lookup func(string) (string, bool), logger *slog.Logger) (*settings, error) {
	file, err := readEnvFile(flags.envFile, given("env"))
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains(keys, key) && (strings.HasPrefix(key, "AUTH_") || strings.HasPrefix(key, "MCP_") || strings.HasPrefix(key, "STORE_")) {
			logger.Warn("a key in the settings file is not known, so it has no effect", "file", flags.envFile, "key", key, "did_you_mean", nearest(key))
		}
	}
	value := func(key string) string {
		if set, present := lookup(key); present {
			return strings.TrimSpace(set)
		}
		return strings.TrimSpace(file[key])
	}
	s := &settings{
		tenantID: value("AUTH_TENANT_ID"), clientID: value("AUTH_CLIENT_ID"), clientSecret: value("AUTH_CLIENT_SECRET"),
		authority: value("AUTH_AUTHORITY"), graphURL: value("AUTH_GRAPH_URL"), caFile: value("AUTH_CA_FILE"), redirectURI: value("AUTH_REDIRECT_URI"),
		address: value("MCP_ADDR"), publicURL: value("MCP_PUBLIC_URL"), path: value("MCP_PATH"), upstream: value("MCP_UPSTREAM"), store: value("STORE_URL"), keysFile: value("MCP_KEYS_FILE"),
		trustFakeKeys: flags.trustFakeKeys,
	}
	s.allowedOrigins = list(value("MCP_ALLOWED_ORIGINS"))
	if s.trustedProxies, err = clientip.ParseProxies(list(value("MCP_TRUSTED_PROXIES"))); err != nil {
		return nil, fmt.Errorf("MCP_TRUSTED_PROXIES: %w", err)
	}
	for flag, into := range map[string]struct {
		flag *string
		into *string
	}{"addr": {&flags.address, &s.address}, "public-url": {&flags.publicURL, &s.publicURL}, "store": {&flags.store, &s.store}, "upstream": {&flags.upstream, &s.upstream}} {
		if given(flag) {
			*into.into = *into.flag
		}
	}
	if err := s.readMode(value); err != nil {
		return nil, err
	}
	if err := s.readEndpoint(value); err != nil {
		return nil, err
	}
	if s.tenantID == "" && s.clientID == "" && s.clientSecret == "" {
		return nil, errNotConfigured
	}
	if s.address == "" {
		s.address = "localhost:8000"
	}
	if _, _, err := net.SplitHostPort(s.address); err != nil {
		return nil, fmt.Errorf("MCP_ADDR is %q: write HOST:PORT, such as localhost:8000", s.address)
	}
	if s.publicURL == "" && !loopbackHost(s.address) {
		return nil, fmt.Errorf("MCP_PUBLIC_URL is missing: the server listens on %s, where clients come through something in front; write the https URL that they use", s.address)
	}
	return s, nil
}

// directKeys mean something in direct mode only. In broker mode one of them is a mistake that must not be passed over:
// whoever lists tenants believes that others are refused.
var directKeys = []string{"AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION", "AUTH_ALLOWED_TENANTS", "AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES"}

// readMode reads whose tokens are taken.
func (s *settings) readMode(value func(string) string) error {
	switch mode := value("AUTH_MODE"); mode {
	case "", "broker":
		for _, key := range directKeys {
			if value(key) != "" {
				return fmt.Errorf("%s is for AUTH_MODE=direct: in broker mode the people of AUTH_TENANT_ID sign in, with tokens of this server's own", key)
			}
		}
		return nil
	case "direct":
	default:
		return fmt.Errorf("AUTH_MODE is %q: write broker or direct", mode)
	}
	if s.redirectURI != "" {
		return errors.New("AUTH_REDIRECT_URI is for AUTH_MODE=broker: in direct mode this server sends nobody to sign in")
	}
	s.direct = &server.Direct{
		IdentifierURI: value("AUTH_AUDIENCE"), Tenants: list(value("AUTH_ALLOWED_TENANTS")), Clients: list(value("AUTH_ALLOWED_CLIENTS")), AppRoles: list(value("AUTH_APP_ROLES")),
	}
	if text := value("AUTH_CONFIDENTIAL_CLIENTS"); text != "" {
		only, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("AUTH_CONFIDENTIAL_CLIENTS is %q: write true or false", text)
		}
		s.direct.ConfidentialClients = only
	}
	s.scopes = list(value("AUTH_SCOPES"))
	for _, version := range list(value("AUTH_TOKEN_VERSION")) {
		number, err := strconv.Atoi(version)
		if err != nil {
			return fmt.Errorf("AUTH_TOKEN_VERSION is %q: write 1, 2 or both", version)
		}
		s.direct.TokenVersions = append(s.direct.TokenVersions, number)
	}
	return nil
}

// readEndpoint reads what stands behind the guard, and how it is served.
func (s *settings) readEndpoint(value func(string) string) (err error) {
	for key, into := range map[string]*bool{"MCP_STATEFUL": &s.stateful, "MCP_LEGACY_SSE": &s.legacySSE} {
		if text := value(key); text != "" {
			if *into, err = strconv.ParseBool(text); err != nil {
				return fmt.Errorf("%s is %q: write true or false", key, text)
			}
		}
	}
	if text := value("MCP_MAX_CALL"); text != "" {
		if s.maxCall, err = time.ParseDuration(text); err != nil || s.maxCall <= 0 {
			return fmt.Errorf("MCP_MAX_CALL is %q: write a time such as 90s, 10m or 2h", text)
		}
	}
	if s.upstream != "" && s.legacySSE {
		return errors.New("MCP_LEGACY_SSE is for the tools of this program, and MCP_UPSTREAM puts another server in their place")
	}
	return nil
}

// list splits at commas and blanks.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// maxEnvFile bounds the settings file in bytes.
const maxEnvFile = 1 << 20

// readEnvFile reads the settings file. One that nobody asked for may be missing.
func readEnvFile(name string, asked bool) (map[string]string, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !asked:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("settings: %w", err)
	case info.IsDir() || info.Size() > maxEnvFile:
		return nil, fmt.Errorf("settings: %s is not a file of at most 1 MiB", name)
	}
	file, err := godotenv.Read(name)
	if err != nil {
		// The library's error can quote the line, which may hold the secret.
		return nil, fmt.Errorf("settings: %s is not a list of KEY=value lines", name)
	}
	return file, nil
}

// registration is the app registration that signs people in.
func (s *settings) registration() entra.Config {
	return entra.Config{
		Authority: s.authority, TenantID: s.tenantID, ClientID: s.clientID, ClientSecret: s.clientSecret, RedirectURI: s.redirectURI,
		GraphURL: s.graphURL, TrustPublicFakeKeys: s.trustFakeKeys || s.loopbackAuthority(),
	}
}

// apiScopes are the scopes of direct mode; each lets the tools ask Graph for the person's profile.
func (s *settings) apiScopes() []broker.Scope {
	var all []broker.Scope
	for _, name := range s.scopes {
		all = append(all, broker.Scope{Name: name, Description: "use its tools for you", Upstream: []string{"User.Read"}})
	}
	return all
}

// loopbackAuthority reports whether the authority is on this machine, as a fake is.
func (s *settings) loopbackAuthority() bool {
	authority := s.authority
	if !strings.Contains(authority, "://") {
		authority = "https://" + authority
	}
	parsed, err := url.Parse(authority)
	return err == nil && parsed.Host != "" && isLoopback(parsed.Hostname())
}

func loopbackHost(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// nearest is the known key that a mistyped one was most likely meant to be, or nothing when it is like none.
func nearest(key string) string {
	best, least := "", len(key)/2
	for _, known := range keys {
		if d := distance(key, known); d < least {
			best, least = known, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
