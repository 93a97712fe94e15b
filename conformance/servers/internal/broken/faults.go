package broken

// A Fault is one way to be broken, named by what such a server does.
type Fault string

// Faults of everything at once.
const (
	ServesEverybody        Fault = "serves everybody"
	RefusesEverybody       Fault = "refuses everybody"
	SpeaksNoNewestRevision Fault = "does not speak MCP 2026-07-28"
)

// Faults of the challenge.
const (
	SendsNoChallenge     Fault = "sends no challenge"
	SendsBrokenChallenge Fault = "sends a challenge that is not well formed"
	LeavesOutMetadataURL Fault = "leaves resource_metadata out of the challenge"
	SaysErrorToStrangers Fault = "says error to those without credentials"
	SaysNoError          Fault = "says nothing of invalid_token"
	LeavesOutScope       Fault = "leaves scope out of the challenge"
	AsksForOfflineAccess Fault = "asks for offline_access"
)

// Faults of the metadata, of the server's and of the authorization server's.
const (
	HasNoMetadata         Fault = "has no protected resource metadata"
	HasMetadataElsewhere  Fault = "has its metadata at another address only"
	ServesMetadataAsText  Fault = "serves its metadata as text/plain"
	DescribesAnother      Fault = "describes another resource"
	NamesNoIssuer         Fault = "names no authorization server"
	NamesNoSigner         Fault = "signs metadata without saying who signs"
	OffersEverything      Fault = "offers a scope for everything"
	TakesTokensInQuery    Fault = "offers to take tokens in the query"
	HasEmptyArrays        Fault = "has empty arrays in its metadata"
	ListsOfflineAccess    Fault = "lists offline_access in its metadata"
	DescribesAnything     Fault = "describes whatever resource it is asked for"
	HidesAbsenceFromPages Fault = "lets no page of another site see that there is no metadata at an address"
	BelievesForwardedHost Fault = "believes X-Forwarded-Host"
	HasNoIssuerMetadata   Fault = "has no authorization server metadata"
	HasSlashInIssuer      Fault = "has a slash at the end of its issuer"
	HasNoTokenEndpoint    Fault = "has no token_endpoint"
	AdvertisesNoPKCE      Fault = "advertises no PKCE"
	HasEmptyIssuerArrays  Fault = "has empty arrays in its authorization server metadata"
	RegistersText         Fault = "registers clients whatever the media type of the request is"
	TakesTwoSecrets       Fault = "takes a client's secret in two places at once"
	LocksClientsOut       Fault = "locks a client out after wrong secrets"
	HasOpenIDMetadataOnly Fault = "has its authorization server metadata under OpenID Connect's name only"
)

// Faults of registration and of the authorization endpoint.
const (
	RegistersOwnOrigin      Fault = "registers a redirect URI at its own origin"
	RegistersAllOrNothing   Fault = "refuses a registration for one of its redirect URIs"
	ShowsHostsDecoded       Fault = "shows a percent-encoded host as the letters that it stands for"
	RedirectsErrorsAnywhere Fault = "sends a browser on to any registered site with an error"
)

// Faults of how credentials are read.
const (
	WantsBearerInOneCase    Fault = "wants Bearer in one case"
	AcceptsQueryToken       Fault = "accepts a token in the query"
	AcceptsCookieToken      Fault = "accepts a token in a cookie"
	PrefersQueryToken       Fault = "prefers a token in the query to the one in the header"
	TakesFirstOfTwoHeaders  Fault = "takes the first of two Authorization lines"
	TakesFirstOfTwoFields   Fault = "takes the first of two Authorization fields over HTTP/2"
	SplitsLists             Fault = "takes the first of several credentials in a line"
	TakesTabs               Fault = "takes any white space before a token"
	IgnoresScheme           Fault = "takes a token under any scheme"
	StripsIllegalBytes      Fault = "leaves out bytes that a token cannot have"
	BelievesIdentityHeaders Fault = "believes the headers in which proxies pass identities on"
	GuardsOnePathOnly       Fault = "guards one spelling of its path only"
	LetsProbesIn            Fault = "lets health probes in"
	ObeysMethodOverride     Fault = "obeys a header that names another method"
	RemembersConnections    Fault = "remembers that a connection had a good token"
	RunsBeforeItAsks        Fault = "runs a tool before it asks for a token"
)

// Faults of what is made of a token.
const (
	AcceptsGarbage     Fault = "accepts what is not a token"
	ChecksNoSignature  Fault = "checks no signature"
	AcceptsNoAlgorithm Fault = "accepts alg none"
	AcceptsExpired     Fault = "accepts expired tokens"
	AcceptsNotYetValid Fault = "accepts tokens that are not valid yet"
	ChecksNoAudience   Fault = "checks no audience"
	ChecksNoIssuer     Fault = "checks no issuer"
)

// Faults of the refusal.
const (
	RepeatsKeyID        Fault = "repeats the kid of a token in the challenge"
	ExplainsRefusals    Fault = "explains what is wrong with a token"
	ListsToolsToAnybody Fault = "lists its tools in a refusal"
	MintsSessionsEarly  Fault = "gives a session to those that it refuses"
	LogsTokens          Fault = "logs tokens"
	IsCacheable         Fault = "says that anybody may keep its answers"
	ReadsBodiesFirst    Fault = "waits for the body of those that it refuses"
)

// Faults of scopes.
const (
	EnforcesNoScope        Fault = "enforces no scope"
	ComparesScopesOnly     Fault = "knows of no scope that contains another"
	RefusesScopeWith401    Fault = "refuses a token without scope with 401"
	SaysNoInsufficient     Fault = "says nothing of insufficient_scope"
	LeavesOutNeededScope   Fault = "leaves scope out of a 403"
	LeavesOutMetadataIn403 Fault = "leaves resource_metadata out of a 403"
	ChangesScopes          Fault = "asks for other scopes each time"
	AsksForTooLittle       Fault = "asks for a scope that does not suffice"
)

// Faults of what a request comes with.
const (
	ChecksNoOrigin         Fault = "checks no Origin"
	ChecksNoHost           Fault = "checks no Host"
	ComparesHostsByCase    Fault = "answers to its name in lower case only"
	ChecksNoContentType    Fault = "checks no Content-Type"
	BelievesHeaders        Fault = "decides by Mcp-Method and Mcp-Name, and does what the body says"
	ReadsMessagesLeniently Fault = "takes the last of two members, in any case"
	ChecksNoVersion        Fault = "checks no MCP-Protocol-Version"
	WantsVersion           Fault = "wants MCP-Protocol-Version from everybody"
	AnswersUnknownWith200  Fault = "answers an unknown method with 200 in 2026-07-28"
	MintsModernSessions    Fault = "gives sessions in 2026-07-28"
)

// Faults of sessions and streams.
const (
	SessionsOutliveTokens Fault = "serves a session whose token has expired"
	SharesSessions        Fault = "lets any user into a session"
	BindsSessionsToTokens Fault = "binds a session to the bytes of a token"
	AdoptsSessions        Fault = "takes over a session ID that the client chose"
	CountsSessions        Fault = "counts its sessions"
	SessionsAreNotASCII   Fault = "gives session IDs that are no visible ASCII"
	MissingSessionIs404   Fault = "answers a missing session ID with 404"
	KeepsEndedSessions    Fault = "serves sessions that were ended"
	EndsSessionsOfAnybody Fault = "ends a session for whoever asks"
	KeepsSessionsForEver  Fault = "keeps sessions for ever"
	SessionsPushOutOthers Fault = "ends the session that was not used for longest, whoever's it is"
	StreamsToAnybody      Fault = "opens a stream without a token"
	ReopensEndedStreams   Fault = "opens a stream that ends at once with a token that has just expired"
	StreamsForEver        Fault = "goes on streaming when the token has expired"
	StreamsEverything     Fault = "streams the events of all users to each"
	MixesAnswers          Fault = "answers one caller with what is another's"
)

// Faults of HTTP.
const (
	// RunsAgainWithTrailers is what a proxy does whose transport repeats a call that its trailer
	// fields made fail.
	RunsAgainWithTrailers   Fault = "runs a call with trailer fields again"
	TakesTokensInTrailers   Fault = "takes the token from a trailer field"
	ReadsLengthBeforeChunks Fault = "goes by Content-Length where there is Transfer-Encoding too"
	TakesTwoLengths         Fault = "takes the first of two Content-Lengths"
	TakesSpaceBeforeColon   Fault = "takes a blank before a header's colon"
	TakesAnyHeader          Fault = "breaks under long headers"
	TakesAnyBody            Fault = "breaks under long bodies"
	TakesAnyBodyInFrames    Fault = "breaks under long bodies over HTTP/2"
	SwallowsBombs           Fault = "decompresses bodies of any length"
	OverlooksRequestURI     Fault = "overlooks whom the request line names"
	EndsLinesAtBareLF       Fault = "ends the line of a chunk at a bare LF"
	GluesLinesAtBareLF      Fault = "overlooks the line behind a bare LF"
	RefusesChunkExtensions  Fault = "refuses chunk extensions"
	RefusesAllUnderFlood    Fault = "refuses everybody after many bad signatures"
	GoesThroughTextsAgain   Fault = "goes through a header once for each of its commas"
	WaitsForReaders         Fault = "waits for ever for an answer to be read"
	WaitsForEver            Fault = "waits for ever for a slow request"
)

// Faults of what is remembered of tokens.
const (
	CachesByPayload Fault = "remembers tokens by their payload"
)
