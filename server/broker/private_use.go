package broker

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// knownPrivateUse are redirect URIs of real clients with a private-use scheme (RFC 8252 section
// 7.1), character by character. Each is confirmed by the source above it.
var knownPrivateUse = []string{
	// Cursor on the desktop, in versions before the loopback redirect URI. MCP's Python SDK, issue
	// 897: https://github.com/modelcontextprotocol/python-sdk/issues/897
	"cursor://anysphere.cursor-mcp/oauth/callback",
	// Warp's own issue about its registration: https://github.com/warpdotdev/warp/issues/9088
	"warp://mcp/oauth2callback",
}

// KnownPrivateUse returns the redirect URIs with a private-use scheme that clients can register by
// default. Each belongs to a real client.
func KnownPrivateUse() []string { return slices.Clone(knownPrivateUse) }

// systemSchemes are schemes that browsers or systems handle themselves. A link with one of them can
// run a script or open a file, and no client receives the answer.
var systemSchemes = []string{
	"about", "blob", "content", "data", "file", "filesystem", "ftp", "ftps", "intent", "jar", "javascript",
	"mailto", "resource", "sms", "smsto", "tel", "urn", "vbscript", "view-source", "ws", "wss",
}

// isPrivateUse reports whether a redirect URI has another scheme than http and https.
func isPrivateUse(uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && parsed.Scheme != "" && parsed.Scheme != "http" && parsed.Scheme != "https"
}

// checkPrivateUse returns the reason why a redirect URI with a private-use scheme cannot be used.
func checkPrivateUse(uri string) error {
	if len(uri) > maxRedirectURI {
		return fmt.Errorf("a redirect URI is longer than %d characters", maxRedirectURI)
	}
	parsed, err := url.Parse(uri)
	switch {
	case err != nil, strings.ContainsFunc(uri, notInURI), !strings.HasPrefix(uri, parsed.Scheme+":"):
		return errors.New("a redirect URI is not an absolute URL, or has a character that does not belong there")
	case slices.Contains(systemSchemes, parsed.Scheme):
		return fmt.Errorf("browsers handle the scheme %s of a redirect URI themselves", parsed.Scheme)
	case parsed.Opaque != "", parsed.Host == "" && parsed.Path == "":
		return errors.New("a redirect URI has neither a host nor a path, such as com.example.app:/callback")
	case parsed.User != nil, strings.Contains(uri, "#"):
		return errors.New("a redirect URI has user information or a fragment")
	}
	return checkRedirectQuery(parsed)
}

// checkClientRedirect is checkRedirect for a redirect URI of a known client. The operator may
// choose any private-use scheme for a pre-registered client. A client that registered itself stays
// within the limits of registration, which may have changed since.
func (b *Broker) checkClientRedirect(c *client, uri string) error {
	if c.origin == fromFile && isPrivateUse(uri) {
		return checkPrivateUse(uri)
	}
	if err := b.checkRedirect(uri); err != nil {
		return err
	}
	if c.origin == fromStore {
		return b.config.Clients.Registration.checkRedirect(uri)
	}
	return nil
}
