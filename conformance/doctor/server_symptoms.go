package doctor

var (
	noServerMetadata = []Effect{
		{"VS Code, Copilot", "they guess /authorize, /token and /register at the origin"},
		{"Claude, Cursor, Inspector", "they guess the same addresses, then report that the registration failed"},
		{"Codex", "it reports that the server supports no authorization"},
		{"Gemini CLI", "it reports that it could not discover the OAuth configuration"},
	}
	otherIssuer = []Effect{
		{"Codex", "“Authorization server issuer mismatch: expected …, received …”"},
		{"Inspector, and clients with the TypeScript SDK 2 or the Go SDK", "they refuse the metadata"},
		{"VS Code, Claude", "older versions go on; the check of iss in the answer then fails"},
	}
)

// issuerPlaceSymptoms are about the addresses of the metadata.
var issuerPlaceSymptoms = []symptom[*issuerSeen]{
	{
		code: "server-metadata-missing",
		kind: Fault,
		seen: (*issuerSeen).seesNothing,
		why: "RFC 8414 puts /.well-known/oauth-authorization-server before the issuer's path. The proxy may not pass " +
			"it on.",
		effects: noServerMetadata,
		fixes:   fixServerPlaces,
	},
	{
		code: "server-metadata-is-page",
		kind: Fault,
		seen: seesIssuerPlace(isPage),
		why: "The proxy or a website answers every unknown path with its start page and status 200, so clients read " +
			"HTML in place of JSON.",
		effects: noServerMetadata,
		fixes:   fixServerPlaces,
	},
	{
		code:    "server-metadata-protected",
		kind:    Fault,
		seen:    seesIssuerPlace(isGuarded),
		why:     "A client reads the metadata before it has a token.",
		effects: noServerMetadata,
		fixes:   fixServerPlaces,
	},
	{
		code:    "server-metadata-unreachable",
		kind:    Fault,
		seen:    seesIssuerPlace(isBroken),
		why:     "The authorization server gives no answer, or an error that is final for many clients.",
		effects: noServerMetadata,
		fixes:   fixUnreachableIssuer,
	},
	{
		code:    "server-metadata-malformed",
		kind:    Fault,
		seen:    seesIssuerPlace(isUnreadable),
		why:     "The document must be one JSON object of at most 256 KiB.",
		effects: noServerMetadata,
		fixes:   fixServerPlaces,
	},
	{
		code: "entra-refuses-tenant",
		kind: Fault,
		seen: (*issuerSeen).seesEntraError,
		why:  "Entra ID refuses the tenant in the address, so no client finds where to sign in.",
		effects: everyClient("they report that the authorization server has no metadata, and never show Entra's " +
			"reason"),
		fixes: fixEntraError,
	},
	{
		code:    "server-metadata-no-clean-404",
		kind:    Warning,
		seen:    (*issuerSeen).seesNoCleanMiss,
		why:     "Clients try several addresses, and go on only after 404.",
		effects: []Effect{{"Claude, Cursor, Inspector", "an error or a page at the first address can end the search"}},
		fixes:   fixServerPlaces,
	},
}

// issuerSymptoms are about the document.
var issuerSymptoms = []symptom[*issuerSeen]{
	{
		code:    "issuer-mismatch",
		kind:    Fault,
		seen:    (*issuerSeen).seesOtherIssuer,
		why:     "Both must be the same text (RFC 8414 section 3.3). The comparison stops an attack (mix-up).",
		effects: otherIssuer,
		fixes:   fixIssuer,
	},
	{
		code:    "endpoints-missing",
		kind:    Fault,
		seen:    (*issuerSeen).seesNoEndpoint,
		why:     "A client cannot begin or end a sign-in without them.",
		effects: everyClient("they refuse the metadata"),
		fixes:   fixServerDocument,
	},
	{
		code:    "endpoint-address",
		kind:    Fault,
		seen:    (*issuerSeen).seesWrongEndpoint,
		why:     "The client, or the browser of the person, cannot use that address.",
		effects: everyClient("they refuse it, or the browser shows an error in place of the sign-in page"),
		fixes:   fixEndpointAddress,
	},
	{
		code: "pkce-not-advertised",
		kind: Fault,
		seen: (*issuerSeen).seesNoPKCE,
		why:  "MCP 2025-11-25 tells clients to refuse a server that does not list S256.",
		effects: []Effect{
			{"Inspector, and clients with the Go, C# or Rust SDK", "they refuse to begin"},
			{"Claude, Cursor, VS Code", "most versions use S256 anyway"},
		},
		fixes: fixPKCE,
	},
	{
		code:    "pkce-without-s256",
		kind:    Fault,
		seen:    (*issuerSeen).seesOtherPKCE,
		why:     "MCP clients use S256 only.",
		effects: everyClient("“Incompatible auth server: does not support code challenge method S256”"),
		fixes:   fixPKCE,
	},
	{
		code:    "code-flow-missing",
		kind:    Fault,
		seen:    (*issuerSeen).seesNoCode,
		why:     "MCP clients use the authorization code grant.",
		effects: everyClient("“Incompatible auth server: does not support response type code”"),
		fixes:   fixServerDocument,
	},
	{
		code: "registration-not-offered",
		kind: Fault,
		seen: (*issuerSeen).seesNoRegistration,
		why:  "A client that is not registered beforehand has no other way to get a client ID.",
		effects: []Effect{
			{
				"Claude, Cursor, Inspector",
				"“Incompatible auth server: does not support dynamic client registration”",
			},
			{"VS Code, Copilot", "they ask the person for a client ID"},
			{"Codex, Gemini CLI", "they end with an error, unless their settings have a client ID"},
		},
		fixes: fixRegistration,
	},
	{
		code: "client-id-needed",
		kind: Warning,
		seen: (*issuerSeen).seesPreregistered,
		why:  "Each client needs the ID in its settings.",
		effects: []Effect{
			{"Claude Code, some versions", "they ignore the setting, and insist on a registration"},
		},
		fixes: fixRegistration,
	},
	{
		code:    "registration-endpoint-malformed",
		kind:    Fault,
		seen:    (*issuerSeen).seesNullRegistration,
		why:     "Leave the member out if there is no endpoint. null is not a URL.",
		effects: []Effect{{"Claude, Cursor, Inspector", "“expected string, received null”"}},
		fixes:   fixServerDocument,
	},
	{
		code: "public-clients-refused",
		kind: Warning,
		seen: (*issuerSeen).seesSecretsOnly,
		why:  "MCP clients on a person's machine cannot keep a secret, so they register without one.",
		effects: []Effect{
			{"Codex, VS Code, Gemini CLI", "they expect the method none, and may send no secret"},
		},
		fixes: fixAuthMethods,
	},
	{
		code:    "refresh-not-offered",
		kind:    Warning,
		seen:    (*issuerSeen).seesNoRefresh,
		why:     "Without refresh tokens, the person signs in again whenever the access token ends.",
		effects: everyClient("they ask for a new sign-in about every hour"),
		fixes:   fixServerDocument,
	},
	{
		code:    "server-metadata-openid-only",
		kind:    Warning,
		seen:    (*issuerSeen).seesOIDCOnly,
		why:     "Clients of 2025-06-18 and before look only for RFC 8414 metadata.",
		effects: []Effect{{"older versions of Claude, Codex and Gemini CLI", "they do not find the metadata"}},
		fixes:   fixServerPlaces,
	},
	{
		code:    "server-metadata-without-cors",
		kind:    Warning,
		seen:    (*issuerSeen).seesNoCORS,
		why:     "A client in a web page can read the document only with this header.",
		effects: []Effect{{"Inspector (direct connection), web clients", "the browser blocks the document"}},
		fixes:   fixServerCORS,
	},
}

func fixServerPlaces(s *issuerSeen) []Fix {
	return []Fix{
		nginxFix("location /.well-known/ {", "\tauth_basic off;",
			"\tproxy_pass http://localhost:8000;   # no path after the port", "}"),
		caddyFix("handle /.well-known/* {", "\treverse_proxy localhost:8000", "}"),
		codeFix("serve the metadata at " + clean(s.places[0].address) + ", and 404 at the other addresses"),
	}
}

func fixUnreachableIssuer(s *issuerSeen) []Fix {
	fixes := fixServerPlaces(s)[:2]
	if s.address.Host != s.w.endpoint.Host {
		fixes = append(fixes, publicURL(s.w.endpoint))
	}
	return append(fixes, codeFix("correct authorization_servers in the metadata of the resource"))
}

func fixIssuer(s *issuerSeen) []Fix {
	named := clean(s.w.secrets.Shown(text(s.document, "issuer")))
	if s.isEntra {
		return []Fix{
			codeFix("\"authorization_servers\": [\"" + clean(originOf(s.address)) + "/YOUR-TENANT-ID/v2.0\"]"),
			serverFix("AUTH_TENANT_ID=YOUR-TENANT-ID   # a GUID, not common or organizations"),
			serverFix("AUTH_MODE=broker"),
		}
	}
	return []Fix{
		publicURL(s.w.endpoint),
		codeFix("\"authorization_servers\": [\"" + named + "\"]"),
		codeFix("\"issuer\": \"" + clean(s.w.secrets.Shown(s.issuer)) + "\""),
	}
}

func fixServerDocument(*issuerSeen) []Fix {
	return []Fix{
		serverFix("AUTH_MODE=broker   # mcp-entra-server publishes all members"),
		codeFix("correct the metadata of the authorization server (RFC 8414 section 2)"),
	}
}

func fixEndpointAddress(s *issuerSeen) []Fix {
	return append([]Fix{publicURL(s.address)}, forwardHost()...)
}

func fixPKCE(s *issuerSeen) []Fix {
	return []Fix{
		codeFix("\"code_challenge_methods_supported\": [\"S256\"]"),
		serverFix("AUTH_MODE=broker   # mcp-entra-server publishes S256"),
	}
}

func fixRegistration(*issuerSeen) []Fix {
	return []Fix{
		serverFix("AUTH_MODE=broker\nAUTH_REGISTRATION=open"),
		{ClientSetting, "the settings of each client", "register the client beforehand, and write its client ID there"},
	}
}

func fixAuthMethods(*issuerSeen) []Fix {
	return []Fix{codeFix("\"token_endpoint_auth_methods_supported\": [\"none\", \"client_secret_post\"]")}
}

func fixServerCORS(*issuerSeen) []Fix {
	return []Fix{
		nginxFix("# remove proxy_hide_header Access-Control-Allow-Origin"),
		codeFix("Access-Control-Allow-Origin: *"),
	}
}
