package doctor

import "net/url"

var (
	noMetadata = []Effect{
		{"VS Code, Copilot", "they ask for a client ID of an authorization server that they guess, or give up"},
		{"Claude, Cursor, Inspector", "they look for an authorization server at the origin, and report that it has " +
			"no metadata"},
		{"Codex", "it reports that the server supports no authorization"},
		{"Gemini CLI", "it reports that it found no OAuth configuration"},
	}
	otherResource = []Effect{
		{
			"VS Code, Copilot",
			"“Protected Resource Metadata resource … does not match MCP server resolved resource …”",
		},
		{"Claude, Cursor, Inspector", "“Protected resource … does not match expected … (or origin)”"},
		{"Gemini CLI", "it refuses the metadata as a danger"},
	}
)

// placeSymptoms are about the addresses of the metadata.
var placeSymptoms = []symptom[*resourceSeen]{
	{
		code:    "resource-metadata-missing",
		kind:    Fault,
		seen:    (*resourceSeen).seesNothing,
		why:     "RFC 9728 metadata tells clients where to sign in. The proxy may pass on the endpoint's path alone.",
		effects: noMetadata,
		fixes:   fixPlaces,
	},
	{
		code:    "resource-metadata-misplaced",
		kind:    Fault,
		seen:    (*resourceSeen).seesMisplaced,
		why:     "RFC 9728 section 3.1 puts /.well-known/oauth-protected-resource before the path, not behind it.",
		effects: noMetadata,
		fixes:   fixPlaces,
	},
	{
		code: "resource-metadata-is-page",
		kind: Fault,
		seen: seesPlace(isPage),
		why: "The proxy or a website answers every unknown path with its start page and status 200, so clients read " +
			"HTML in place of JSON.",
		effects: noMetadata,
		fixes:   fixPlaces,
	},
	{
		code:    "resource-metadata-protected",
		kind:    Fault,
		seen:    seesPlace(isGuarded),
		why:     "A client reads the metadata before it has a token.",
		effects: noMetadata,
		fixes:   fixGuardedPlaces,
	},
	{
		code:    "resource-metadata-redirects",
		kind:    Fault,
		seen:    seesPlace(isRedirect),
		why:     "Metadata must come from the address that belongs to the resource (RFC 9728 section 3.2).",
		effects: []Effect{{"VS Code, Codex, Claude", "they do not follow, or distrust the other address"}},
		fixes:   fixPlaces,
	},
	{
		code:    "resource-metadata-unreachable",
		kind:    Fault,
		seen:    seesPlace(isBroken),
		why:     "A server error is final for many clients. Only 404 makes them look elsewhere.",
		effects: noMetadata,
		fixes:   fixUnreachablePlaces,
	},
	{
		code:    "resource-metadata-refused",
		kind:    Fault,
		seen:    seesPlace(isOtherRefusal),
		why:     "The server refuses a plain GET without a token.",
		effects: noMetadata,
		fixes:   fixUnreachablePlaces,
	},
	{
		code:    "resource-metadata-malformed",
		kind:    Fault,
		seen:    seesPlace(isUnreadable),
		why:     "The document must be one JSON object of at most 256 KiB.",
		effects: noMetadata,
		fixes:   fixDocument,
	},
	{
		code: "resource-metadata-old-revision",
		kind: Fault,
		seen: (*resourceSeen).seesLegacy,
		why: "Clients of MCP 2025-03-26 expect the authorization server at the origin. Later ones begin with RFC " +
			"9728 metadata, and some have no fallback.",
		effects: []Effect{{"Codex, Gemini CLI, ChatGPT", "newer versions look for the metadata of the resource only"}},
		fixes:   fixPlaces,
	},
	{
		code: "resource-metadata-not-at-well-known",
		kind: Warning,
		seen: (*resourceSeen).seesGap,
		why:  "Some clients do not read the challenge, and use the well-known address with the endpoint's path.",
		effects: []Effect{
			{"older versions of VS Code, Cursor and Gemini CLI", "they do not find the metadata"},
		},
		fixes: fixPlaces,
	},
}

// resourceSymptoms are about the document.
var resourceSymptoms = []symptom[*resourceSeen]{
	{
		code:    "resource-missing",
		kind:    Fault,
		seen:    (*resourceSeen).seesNoResource,
		why:     "The member is required (RFC 9728 section 2). Clients compare it with the URL.",
		effects: otherResource,
		fixes:   fixResource,
	},
	resourceDiffers("resource-other-host", otherHost,
		"The server took the name from the Host that the proxy sent, or its public URL is not set."),
	resourceDiffers("resource-other-scheme", otherWay,
		"The proxy ends TLS, and the server does not know that its public address has another scheme."),
	resourceDiffers("resource-other-port", otherPort,
		"The server names the port that it listens on, not the port that the proxy publishes."),
	resourceDiffers("resource-other-path", otherPath,
		"A proxy strips or adds a path prefix, or the server's path is another one."),
	resourceDiffers("resource-other-slash", otherSlash,
		"Clients compare the text. A slash at the end makes another resource."),
	resourceDiffers("resource-malformed", noURL, "The member must be a whole URL."),
	{
		code: "resource-is-parent",
		kind: Warning,
		seen: (*resourceSeen).seesParent,
		why:  "RFC 9728 section 3.3 wants the URL that the client used. Some clients accept the origin.",
		effects: []Effect{
			{"VS Code, Gemini CLI", "strict versions refuse the metadata"},
			{"Claude, Cursor, Inspector", "they accept it, and ask for a token for the whole origin"},
		},
		fixes: fixResource,
	},
	{
		code:    "resource-metadata-contradicts",
		kind:    Warning,
		seen:    (*resourceSeen).seesOtherDocument,
		why:     "Clients choose different places, so they ask for tokens for different resources.",
		effects: []Effect{{"VS Code", "it refuses the document that names another resource"}},
		fixes:   fixResource,
	},
	{
		code:    "authorization-servers-missing",
		kind:    Fault,
		seen:    (*resourceSeen).seesNoIssuer,
		why:     "The client does not learn where to sign in.",
		effects: noMetadata,
		fixes:   fixIssuers,
	},
	{
		code:    "authorization-server-address",
		kind:    Fault,
		seen:    (*resourceSeen).seesPlainIssuer,
		why:     "An issuer is an https URL (RFC 8414 section 2). On loopback http is possible.",
		effects: everyClient("they refuse the address, or send the person to an address without TLS"),
		fixes:   fixIssuers,
	},
	{
		code:    "authorization-server-inside",
		kind:    Fault,
		seen:    (*resourceSeen).seesInsideIssuer,
		why:     "The client and the browser of the person must reach the authorization server.",
		effects: everyClient("they do not find the host"),
		fixes:   fixIssuers,
	},
	{
		code:    "resource-metadata-without-cors",
		kind:    Warning,
		seen:    (*resourceSeen).seesNoCORS,
		why:     "A client in a web page can read the document only with this header.",
		effects: []Effect{{"Inspector (direct connection), web clients", "the browser blocks the document"}},
		fixes:   fixResourceCORS,
	},
}

func resourceDiffers(name string, which difference, why string) symptom[*resourceSeen] {
	return symptom[*resourceSeen]{
		code:    name,
		kind:    Fault,
		seen:    seesResourceAt(which),
		why:     why,
		effects: otherResource,
		fixes:   fixResource,
	}
}

func fixPlaces(s *resourceSeen) []Fix {
	return []Fix{
		nginxFix("location /.well-known/ {", "\tproxy_pass http://localhost:8000;   # no path after the port",
			"\tproxy_set_header Host $http_host;", "}",
			"location / {", "\tproxy_pass http://localhost:8000;", "\tproxy_set_header Host $http_host;", "}"),
		caddyFix("handle /.well-known/* {", "\treverse_proxy localhost:8000", "}"),
		codeFix("serve the metadata at " +
			clean(wellKnown(s.endpoint, "oauth-protected-resource", s.endpoint.EscapedPath()))),
	}
}

func fixGuardedPlaces(s *resourceSeen) []Fix {
	return append([]Fix{
		nginxFix("location /.well-known/ {", "\tauth_basic off;", "\tauth_request off;",
			"\tproxy_pass http://localhost:8000;", "}"),
		{PortalPage, "Azure portal > App Service > Authentication",
			"Restrict access: Allow unauthenticated access (the MCP server checks tokens itself)"},
	}, fixPlaces(s)[1:]...)
}

func fixUnreachablePlaces(s *resourceSeen) []Fix {
	fixes := fixPlaces(s)
	if s.named != "" {
		fixes = append([]Fix{publicURL(s.endpoint)}, fixes...)
	}
	return fixes
}

func fixDocument(s *resourceSeen) []Fix {
	resource := clean(s.w.secrets.Shown(s.endpoint.String()))
	return []Fix{codeFix("Content-Type: application/json\n\n{\"resource\": \"" + resource +
		"\", \"authorization_servers\": [\"" + clean(originOf(s.endpoint)) + "\"]}")}
}

func fixResource(s *resourceSeen) []Fix {
	path := clean(pathOf(s.endpoint))
	fixes := []Fix{serverFix("MCP_PUBLIC_URL=" + clean(originOf(s.endpoint)) + "\nMCP_PATH=" + path)}
	fixes = append(fixes, forwardHost()...)
	fixes = append(fixes, wholePath()...)
	if parsed, err := url.Parse(text(s.document, "resource")); err == nil && parsed.Host == s.endpoint.Host {
		fixes = append(fixes, clientFix(clean(s.w.secrets.Shown(parsed.String()))))
	}
	return fixes
}

func fixIssuers(s *resourceSeen) []Fix {
	return append([]Fix{publicURL(s.endpoint)}, fixDocument(s)...)
}

func fixResourceCORS(*resourceSeen) []Fix {
	return []Fix{
		nginxFix("# remove proxy_hide_header Access-Control-Allow-Origin"),
		codeFix("Access-Control-Allow-Origin: *"),
	}
}
