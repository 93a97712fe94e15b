package doctor

import "net/url"

// brokerSymptoms are about the request that a server in front of Entra ID sends there.
var brokerSymptoms = []symptom[*entraAsked]{
	{
		code: "upstream-redirect-elsewhere",
		kind: Fault,
		seen: (*entraAsked).seesOtherRedirect,
		why: "After the sign-in, the browser goes to an address that is not this server, or that Entra ID does not " +
			"know.",
		effects: everyClient("the browser shows an error after the sign-in, or AADSTS50011 before it"),
		fixes:   fixUpstreamRedirect,
	},
	{
		code:    "upstream-without-refresh",
		kind:    Warning,
		seen:    (*entraAsked).seesNoRefresh,
		why:     "Entra ID gives a refresh token only for offline_access.",
		effects: everyClient("the person signs in again after 60 to 90 minutes"),
		fixes:   fixOffline,
	},
	{
		code: "upstream-forces-consent",
		kind: Warning,
		seen: (*entraAsked).seesForcedConsent,
		why: "Entra ID then asks at every sign-in. People who may not consent see “approval required”, although " +
			"an administrator has consented.",
		effects: everyClient("people without the right to consent cannot sign in"),
		fixes:   fixPrompt,
	},
	{
		code:    "upstream-forwards-resource",
		kind:    Fault,
		seen:    (*entraAsked).seesForwardedResource,
		why:     "Entra ID takes only its own identifier URIs, and answers AADSTS9010010 to the URL of an MCP server.",
		effects: everyClient("the sign-in fails with invalid_target"),
		fixes:   fixForwardedResource,
	},
	{
		code: "upstream-forwards-challenge",
		kind: Fault,
		seen: (*entraAsked).seesForwardedChallenge,
		why: "The server redeems the code at Entra ID, and does not have the client's verifier. Entra ID then " +
			"answers AADSTS501481.",
		effects: everyClient("the sign-in ends with an error after the password"),
		fixes:   fixOwnPKCE,
	},
	{
		code:    "upstream-forwards-state",
		kind:    Warning,
		seen:    (*entraAsked).seesForwardedState,
		why:     "The client chose the value, so the server cannot know whose sign-in returns.",
		effects: everyClient("two people with the same state can get each other's sign-in"),
		fixes:   fixState,
	},
	{
		code:    "upstream-without-pkce",
		kind:    Warning,
		seen:    (*entraAsked).seesNoChallenge,
		why:     "PKCE protects the code between Entra ID and the server.",
		effects: everyClient("they work; a stolen code works, too"),
		fixes:   fixOwnPKCE,
	},
	{
		code:    "entra-shared-tenant",
		kind:    Warning,
		seen:    (*entraAsked).seesSharedTenant,
		why:     "Entra ID then reports most faults only after the person has signed in, so the walk cannot see them.",
		effects: everyClient("people of other tenants reach the sign-in, too; a registration for one tenant fails"),
		fixes:   fixSharedTenant,
	},
}

func fixUpstreamRedirect(s *entraAsked) []Fix {
	origin := clean(originOf(s.w.authorized.issuer.address))
	callback := "/auth/callback"
	if parsed, err := url.Parse(s.query.Get("redirect_uri")); err == nil && parsed.Path != "" {
		callback = clean(parsed.EscapedPath())
	}
	return []Fix{
		serverFix("MCP_PUBLIC_URL=" + origin + "\nAUTH_REDIRECT_URI=" + origin + callback),
		{PortalPage, "Entra admin center > App registrations > the app > Authentication",
			"Add a platform: Web; Redirect URI: " + origin + callback},
	}
}

func fixOffline(s *entraAsked) []Fix {
	return []Fix{codeFix("scope=" + clean(s.w.secrets.Shown(s.query.Get("scope"))) + " offline_access")}
}

func fixPrompt(*entraAsked) []Fix {
	return []Fix{codeFix("leave prompt out, or send prompt=select_account")}
}

func fixForwardedResource(*entraAsked) []Fix {
	return []Fix{
		codeFix("keep resource for the tokens of the server, and leave it out of the request to Entra ID"),
		serverFix("AUTH_MODE=broker   # mcp-entra-server never passes it on"),
	}
}

func fixOwnPKCE(*entraAsked) []Fix {
	return []Fix{
		codeFix("make a code_verifier for each request to Entra ID, and send its S256 challenge"),
		serverFix("AUTH_MODE=broker   # mcp-entra-server has its own"),
	}
}

func fixState(*entraAsked) []Fix {
	return []Fix{codeFix("send a random state to Entra ID, and give the client its own one back")}
}

func fixSharedTenant(*entraAsked) []Fix {
	return []Fix{
		serverFix("AUTH_TENANT_ID=YOUR-TENANT-ID   # Directory (tenant) ID on the registration's overview page"),
	}
}
