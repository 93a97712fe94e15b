package doctor

import "net/http"

// The effects of the commonest faults.
var (
	noSignIn   = everyClient("they report a connection error, and no sign-in begins")
	ownFailure = []Effect{
		{"VS Code", "it reports the status, and no sign-in begins"},
		{"Claude, Cursor, Inspector", "they retry with the old SSE transport, then report that the connection failed"},
		{"Codex, Gemini CLI, Copilot", "they report that the server did not start"},
	}
)

var redirectSymptoms = []symptom[*challenged]{
	{
		code: "endpoint-redirects",
		kind: Fault,
		seen: (*challenged).seesRedirectAway,
		why: "Clients send POST. Most HTTP libraries turn a redirected POST into a GET, or drop the token when the " +
			"origin changes.",
		effects: []Effect{
			{"Claude, Cursor, Inspector", "after 301 or 302 they send GET, and the server has no message to answer"},
			{"VS Code, Gemini CLI", "they compare the metadata with the URL that the person typed, and refuse it"},
			{"Codex", "it does not send the token to the other address"},
		},
		fixes: fixRedirect,
	},
}

var challengeSymptoms = []symptom[*challenged]{
	{
		code:    "no-answer",
		kind:    Fault,
		seen:    (*challenged).seesNoAnswer,
		why:     "The port is open, but no HTTP answer comes.",
		effects: everyClient("they wait, then report a timeout or a closed connection"),
		fixes:   fixGateway,
	},
	{
		code: "endpoint-redirects-elsewhere",
		kind: Fault,
		seen: (*challenged).seesRedirectAway,
		why: "A login page in front of the endpoint, or another host, answers in its place. Programs cannot use a " +
			"login page.",
		effects: ownFailure,
		fixes:   fixLoginPage,
	},
	{
		code: "endpoint-not-found",
		kind: Fault,
		seen: seesStatus("The endpoint is at another path, or the proxy does not pass this one on.",
			http.StatusNotFound, http.StatusGone),
		why:     "A client uses exactly the URL that it was given.",
		effects: ownFailure,
		fixes:   fixPath,
	},
	{
		code:    "endpoint-refuses-post",
		kind:    Fault,
		seen:    seesStatus("Streamable HTTP needs POST.", http.StatusMethodNotAllowed, http.StatusNotImplemented),
		why:     "The address may belong to the old SSE transport, to a web page, or to a proxy that allows only GET.",
		effects: ownFailure,
		fixes:   fixMethod,
	},
	{
		code:    "endpoint-is-page",
		kind:    Fault,
		seen:    (*challenged).seesPage,
		why:     "The address leads to a website, or the proxy answers with its own page.",
		effects: ownFailure,
		fixes:   fixPath,
	},
	{
		code: "gateway-error",
		kind: Fault,
		seen: seesStatus("The proxy does not reach the server behind it.", http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout),
		why:     "The server behind the proxy is down, listens elsewhere, or is too slow.",
		effects: noSignIn,
		fixes:   fixGateway,
	},
	{
		code:    "server-error",
		kind:    Fault,
		seen:    seesStatus("The log of the server has the reason.", http.StatusInternalServerError),
		why:     "The server fails before it looks for a token.",
		effects: noSignIn,
		fixes:   fixServerError,
	},
	{
		code: "host-refused",
		kind: Fault,
		seen: (*challenged).seesHostRefusal,
		why: "The server protects itself against DNS rebinding: it answers only for its own host. The proxy sends " +
			"another Host, or the server does not know its public URL.",
		effects: noSignIn,
		fixes:   fixHost,
	},
	{
		code:    "tls-expected",
		kind:    Fault,
		seen:    (*challenged).seesTLSPort,
		why:     "The URL begins with http://, and the port speaks TLS.",
		effects: noSignIn,
		fixes:   fixTLSPort,
	},
	{
		code:    "body-limit",
		kind:    Fault,
		seen:    seesStatus("The proxy allows only very small bodies.", http.StatusRequestEntityTooLarge),
		why:     "Even the first message, with under 300 bytes, is too long for the proxy.",
		effects: noSignIn,
		fixes:   fixBodyLimit,
	},
	{
		code:    "rate-limited",
		kind:    Fault,
		seen:    seesStatus("Wait, then walk again.", http.StatusTooManyRequests),
		why:     "Hosted clients such as Claude share a few addresses, so a limit for one address hurts all people.",
		effects: []Effect{{"Claude, Copilot", "they reach the limit for all their people together"}},
		fixes:   fixRateLimit,
	},
	{
		code:    "endpoint-unprotected",
		kind:    Fault,
		seen:    (*challenged).seesOpen,
		why:     "Everyone who reaches the address can use the tools. No client asks anyone to sign in.",
		effects: everyClient("they connect without a sign-in"),
		fixes:   fixOpen,
	},
	{
		code:    "forbidden-without-challenge",
		kind:    Fault,
		seen:    (*challenged).seesForbidden,
		why:     "Only 401 tells a client to get a token. 403 means that a token is good but not sufficient.",
		effects: ownFailure,
		fixes:   fixStatus,
	},
	{
		code:    "refused-before-authorization",
		kind:    Fault,
		seen:    (*challenged).seesOtherRefusal,
		why:     "The server checks the message before the token, so a client never learns that it has to sign in.",
		effects: ownFailure,
		fixes:   fixStatus,
	},
	{
		code: "challenge-missing",
		kind: Fault,
		seen: (*challenged).seesNoChallenge,
		why: "RFC 9728 and MCP want WWW-Authenticate with resource_metadata in every 401. A proxy often hides the " +
			"header, or replaces the answer by an error page.",
		effects: []Effect{
			{"Claude, ChatGPT", "they take the server for one without OAuth, and report that the connection failed"},
			{"VS Code, Cursor", "they guess the address of the metadata, and fail if it has a path"},
			{"Codex", "it reports that the server supports no authorization"},
		},
		fixes: fixChallenge,
	},
	{
		code:    "challenge-not-bearer",
		kind:    Fault,
		seen:    (*challenged).seesOtherScheme,
		why:     "The proxy or a gateway asks for a password of its own. MCP clients only have bearer tokens.",
		effects: everyClient("they cannot answer this challenge"),
		fixes:   fixScheme,
	},
	{
		code: "challenge-without-metadata",
		kind: Warning,
		seen: (*challenged).seesNoMetadataURL,
		why:  "The client has to guess where the metadata is. MCP allows that since 2025-11-25.",
		effects: []Effect{
			{"ChatGPT, Claude", "they may report that the server does not implement OAuth"},
			{"VS Code, Cursor, Codex, Gemini CLI", "they try the well-known addresses, which a proxy may not pass on"},
		},
		fixes: fixMetadataParameter,
	},
	challengeAddress("challenge-other-host", otherHost,
		"The server built the address from the Host that the proxy sent, or its public URL is not set."),
	challengeAddress("challenge-other-scheme", otherWay,
		"The proxy ends TLS, and the server does not know that its public address has another scheme."),
	challengeAddress("challenge-other-port", otherPort,
		"The server names the port that it listens on, not the port that the proxy publishes."),
	challengeAddress("challenge-address-malformed", noURL,
		"The value of resource_metadata must be a whole URL."),
	{
		code: "authorization-dropped",
		kind: Fault,
		seen: (*challenged).seesBlind,
		why:  "The proxy removes the header, or uses it for a login of its own.",
		effects: everyClient("the person signs in, then the first call gets 401 again, and the sign-in starts " +
			"from the beginning"),
		fixes: fixAuthorization,
	},
	{
		code:    "false-token-accepted",
		kind:    Fault,
		seen:    (*challenged).seesTokenIgnored,
		why:     "The server asks for a token but does not check it.",
		effects: everyClient("they work, and so does every attacker"),
		fixes:   fixUnchecked,
	},
	{
		code:    "get-answers-page",
		kind:    Warning,
		seen:    (*challenged).seesPageForGet,
		why:     "A client that opens an event stream gets a page in place of 401 or 405.",
		effects: []Effect{{"Cursor, Inspector", "they report a wrong content type when they fall back to SSE"}},
		fixes:   fixGetPage,
	},
	{
		code:    "challenge-has-error",
		kind:    Warning,
		seen:    (*challenged).seesErrorWithoutToken,
		why:     "RFC 6750 section 3.1 wants no error code if the request had no token.",
		effects: []Effect{{"clients that keep tokens", "they may throw a good token away"}},
		fixes:   fixErrorCode,
	},
}

func challengeAddress(name string, which difference, why string) symptom[*challenged] {
	return symptom[*challenged]{
		code: name,
		kind: Fault,
		seen: seesMetadataAt(which),
		why:  why,
		effects: []Effect{
			{"VS Code, Codex", "they refuse metadata of another origin, or cannot reach it"},
			{"Claude, Cursor, Gemini CLI, Copilot", "they ask an address that does not exist for them"},
		},
		fixes: fixMetadataAddress,
	}
}
