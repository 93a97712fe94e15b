package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mcpentra/client/internal/console"
)

// flagValues are the values of the flags.
type flagValues struct {
	url     string
	typed   string // url as the person typed it
	account string
	scopes  []string

	noBrowser      bool
	paste          bool
	deviceCode     bool
	redirectURI    string
	timeout        time.Duration
	requestTimeout time.Duration

	clientID         string
	clientSecretFile string
	clientKeyFile    string
	clientKeyAlg     string
	clientKeyID      string
	clientIssuer     string
	clientDocument   string

	clientCredentials bool
	assertionFile     string
	idTokenFile       string
	idpIssuer         string
	idpTokenEndpoint  string
	idpClientID       string
	idpSecretFile     string
	tokenCommand      string

	dpop             bool
	unadvertisedPKCE bool
	noResource       bool
	tenants          bool
	issuerRootSlash  bool
	resourceAbove    bool

	tokenStore  string
	elicitation string
	revision    string
	caFile      string
	envFile     string
	quiet       bool
}

// add defines the flags. A word in backquotes names the value in --help.
func (f *flagValues) add(set *pflag.FlagSet) {
	text := func(value *string, name, usage string) { set.StringVar(value, name, "", usage) }
	on := func(value *bool, name, usage string) { set.BoolVar(value, name, false, usage) }

	text(&f.url, "url", "the MCP server's `URL`, which you can also give without the flag (MCP_URL)")
	text(&f.account, "account", "a `NAME` of your choice for one of several accounts at a server (MCP_ACCOUNT)")
	set.StringSliceVar(&f.scopes, "scope", nil, "request this scope in addition to the server's; can be repeated")

	on(&f.noBrowser, "no-browser", "print the authorization page's address and wait, without opening a browser")
	on(&f.paste, "paste", "print the page's address, and read the address that the browser ends at")
	on(&f.deviceCode, "device-code", "approve on another device, with a code")
	text(&f.redirectURI, "redirect-uri", "wait for the answer at this `URL` (MCP_REDIRECT_URI)")
	set.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for the person at the browser")
	set.DurationVar(&f.requestTimeout, "request-timeout", 0, "end a request of the sign-in after this `TIME` (30s)")

	text(&f.clientID, "client-id", "the client `ID` that the authorization server has given you (MCP_CLIENT_ID)")
	text(&f.clientSecretFile, "client-secret-file",
		"read the client's secret from this `FILE`; - means standard input (or set MCP_CLIENT_SECRET)")
	text(&f.clientKeyFile, "client-key-file",
		"read the client's private key from this PEM `FILE` (MCP_CLIENT_KEY_FILE)")
	text(&f.clientKeyAlg, "client-key-alg",
		"sign with this `ALG`: ES256, RS256 or PS256; by default one that fits the key")
	text(&f.clientKeyID, "client-key-id", "the `ID` of the client's key, if it has one")
	text(&f.clientIssuer, "client-issuer",
		"the issuer `URL` of the only authorization server that may see the client ID (MCP_CLIENT_ISSUER)")
	text(&f.clientDocument, "client-metadata-url",
		"the `URL` of a client ID metadata document (MCP_CLIENT_METADATA_URL)")

	on(&f.clientCredentials, "client-credentials", "sign in without a person, with the client's own secret or key")
	text(&f.assertionFile, "assertion-file",
		"sign in without a person, with the workload's identity (a JWT) in this `FILE`")
	text(&f.idTokenFile, "id-token-file",
		"sign in without a page, with your identity provider's ID token in this `FILE` (or set MCP_ID_TOKEN)")
	text(&f.idpIssuer, "idp-issuer", "the identity provider's issuer `URL`")
	text(&f.idpTokenEndpoint, "idp-token-endpoint",
		"the identity provider's token endpoint `URL`, instead of the one in its metadata")
	text(&f.idpClientID, "idp-client-id", "the client `ID` at the identity provider")
	text(&f.idpSecretFile, "idp-client-secret-file",
		"read the client's secret at the identity provider from this `FILE` (or set MCP_IDP_CLIENT_SECRET)")
	text(&f.tokenCommand, "token-command",
		"run this `COMMAND` to get the access token; no shell runs it (or set MCP_TOKEN)")

	on(&f.dpop, "dpop", "bind tokens to a key (RFC 9449) if the authorization server supports it")
	on(&f.unadvertisedPKCE, "entra-unadvertised-pkce",
		"accept metadata that does not mention PKCE, such as Entra ID's")
	on(&f.noResource, "entra-no-resource", "leave out the resource parameter, which Entra ID may refuse")
	on(&f.tenants, "entra-tenants", "accept Entra ID's organizations and common, and stay in one tenant")
	on(&f.issuerRootSlash, "issuer-root-slash", "accept issuers that differ only in a slash after the host")
	on(&f.resourceAbove, "resource-above", "accept metadata for a path above the server's, or for its origin")

	text(&f.tokenStore, "token-store",
		"keep tokens in `WHERE`: file, file:FOLDER, memory, or command:WORDS (MCP_TOKEN_STORE)")
	text(&f.elicitation, "elicitation",
		"answer the server's forms with their `default`s; otherwise the program declares that it answers none")
	text(&f.revision, "protocol-version",
		"use only this `REVISION` of MCP: "+strings.Join(console.Revisions(), ", "))
	text(&f.caFile, "ca-file", "also trust the certificate authorities in this PEM `FILE`")
	text(&f.envFile, "env", "also read settings from this `FILE`; without the flag no file is read")
	on(&f.quiet, "quiet", "print no steps, only what you have to open or type")
}
