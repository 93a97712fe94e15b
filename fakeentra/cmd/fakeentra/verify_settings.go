package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mcpentra/fakeentra/internal/verify"
)

// tenantSettings are the settings of mcp-entra-server that name a tenant.
type tenantSettings struct {
	verify.Settings
	authority string
	graph     string
	caFile    string
}

// maxEnvFile bounds a settings file in bytes.
const maxEnvFile = 1 << 20

// readSettings reads the settings file, the environment and the flags.
func (o verifyOptions) readSettings() (tenantSettings, error) {
	values := map[string]string{}
	file, err := os.Open(o.envFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.tenant != "" && o.envFile == ".env":
	case err != nil:
		return tenantSettings{}, fmt.Errorf("--env: want a settings file with AUTH_TENANT_ID, "+
			"or --tenant without a file: %w", err)
	default:
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxEnvFile))
		if err != nil {
			return tenantSettings{}, fmt.Errorf("--env: %w", err)
		}
		values = parseEnv(string(text))
	}
	get := func(name string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return values[name]
	}
	settings := tenantSettings{
		Settings: verify.Settings{
			Tenant: get("AUTH_TENANT_ID"),
			Client: get("AUTH_CLIENT_ID"),
			Secret: get("AUTH_CLIENT_SECRET"),
		},
		authority: strings.TrimSuffix(get("AUTH_AUTHORITY"), "/"),
		graph:     strings.TrimSuffix(get("AUTH_GRAPH_URL"), "/"),
		caFile:    get("AUTH_CA_FILE"),
	}
	if o.tenant != "" {
		settings.Tenant = o.tenant
	}
	if settings.authority == "" {
		settings.authority = "https://login.microsoftonline.com"
	}
	return settings, settings.check()
}

// check refuses settings that would send the secret in clear, or to no tenant.
func (s tenantSettings) check() error {
	if s.Tenant == "" {
		return errors.New("AUTH_TENANT_ID is missing; set it to the ID or a domain of the tenant, or use --tenant")
	}
	for _, one := range []struct{ name, value string }{{"AUTH_AUTHORITY", s.authority}, {"AUTH_GRAPH_URL", s.graph}} {
		if one.value == "" {
			continue
		}
		u, err := url.Parse(one.value)
		isOrigin := err == nil && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.User == nil
		if !isOrigin || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return fmt.Errorf("%s: want https and a host, or http on loopback, got %q", one.name, one.value)
		}
	}
	return nil
}

// parseEnv reads KEY=value lines. It replaces no variables, because a secret can hold a dollar
// sign.
func parseEnv(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, found := strings.Cut(line, "=")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch {
		case len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'':
			value = strings.ReplaceAll(value[1:len(value)-1], `'\''`, "'")
		case len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"':
			value = strings.ReplaceAll(value[1:len(value)-1], `\"`, `"`)
		default:
			value, _, _ = strings.Cut(value, " #")
			value = strings.TrimSpace(value)
		}
		values[strings.TrimSpace(name)] = value
	}
	return values
}

// newClient returns the client for the requests to the tenant.
func (o verifyOptions) newClient(settings tenantSettings) (*http.Client, error) {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		DisableKeepAlives:     true, // each request waits longer than servers keep a connection
		ForceAttemptHTTP2:     true,
	}
	if o.proxy != "" {
		proxy, err := url.Parse(o.proxy)
		if err != nil || proxy.Host == "" {
			return nil, fmt.Errorf("--proxy: want a URL like http://localhost:8402, got %q", o.proxy)
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	if settings.caFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		text, err := os.ReadFile(settings.caFile)
		if err != nil {
			return nil, fmt.Errorf("AUTH_CA_FILE: %w", err)
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("AUTH_CA_FILE: want certificates in PEM, got none in %s", settings.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: transport}, nil
}
