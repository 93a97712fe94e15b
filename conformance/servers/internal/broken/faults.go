package broken

// A Fault is one way to be broken. Its text says what a server with the fault does. To add one,
// name it here or in the file that simulates it, and add it to faults.tsv of package catalogue.
type Fault string

// Faults that concern every request.
const (
	IgnoresTokens          Fault = "serves requests without a token"
	RefusesAllTokens       Fault = "refuses every token"
	SpeaksNoNewestRevision Fault = "does not speak MCP 2026-07-28"
	AsksForNothing         Fault = "asks for no authorization, and publishes no metadata"
	AsksForKey             Fault = "asks for a key of its own, and publishes no metadata"
	BreaksOnBadTokens      Fault = "answers 500 to every bad token"
)

// Faults in the challenge.
const (
	SendsNoChallenge       Fault = "sends no challenge"
	SendsBrokenChallenge   Fault = "sends a malformed challenge"
	OmitsMetadataURL       Fault = "omits resource_metadata from the challenge"
	SendsErrorWithoutToken Fault = "sends an error code to a request without credentials"
	OmitsInvalidToken      Fault = "omits invalid_token"
	OmitsScope             Fault = "omits scope from the challenge"
	AsksForOfflineAccess   Fault = "asks for offline_access"

	AsksForOfflineAccessLater Fault = "asks for offline_access when a scope lacks"
)

// Faults in the metadata of the server and of the authorization server.
const (
	HasNoMetadata         Fault = "has no protected resource metadata"
	HasMetadataElsewhere  Fault = "has its metadata only at another address"
	ServesMetadataAsText  Fault = "serves its metadata as text/plain"
	DescribesAnother      Fault = "describes another resource"
	NamesNoIssuer         Fault = "names no authorization server"
	NamesNoSigner         Fault = "signs metadata without naming the signer"
	OffersEverything      Fault = "offers a scope for everything"
	AdvertisesQueryTokens Fault = "advertises tokens in the query"
	HasEmptyArrays        Fault = "has empty arrays in its metadata"
	ListsOfflineAccess    Fault = "lists offline_access in its metadata"
	DescribesAnything     Fault = "describes every resource that a request names"
	HidesAbsenceFromPages Fault = "hides missing metadata from pages of other sites"
	TrustsForwardedHost   Fault = "trusts X-Forwarded-Host"
	HasNoIssuerMetadata   Fault = "has no authorization server metadata"
	HasSlashInIssuer      Fault = "has a slash at the end of its issuer"
	HasNoTokenEndpoint    Fault = "has no token_endpoint"
	AdvertisesNoPKCE      Fault = "advertises no PKCE"
	HasEmptyIssuerArrays  Fault = "has empty arrays in its authorization server metadata"
	RegistersText         Fault = "registers clients from a request of any media type"
	AcceptsTwoSecrets     Fault = "accepts a client's secret in two places at once"
	LocksClientsOut       Fault = "locks out a client after wrong secrets"
	HasOpenIDMetadataOnly Fault = "has its authorization server metadata only under OpenID Connect's name"
)

// Faults in registration and at the authorization endpoint.
const (
	RegistersOwnOrigin      Fault = "registers a redirect URI at its own origin"
	RegistersAllOrNothing   Fault = "refuses a registration because of one of its redirect URIs"
	ShowsHostsDecoded       Fault = "shows a percent-encoded host decoded"
	RedirectsErrorsAnywhere Fault = "redirects an error to any registered site"
)

// Faults in reading credentials.
const (
	WantsBearerInOneCase     Fault = "accepts Bearer in one letter case only"
	AcceptsQueryToken        Fault = "accepts a token in the query"
	AcceptsCookieToken       Fault = "accepts a token in a cookie"
	PrefersQueryToken        Fault = "prefers a token in the query to the one in the header"
	AcceptsFirstOfTwoHeaders Fault = "accepts the first of two Authorization lines"
	AcceptsFirstOfTwoFields  Fault = "accepts the first of two Authorization fields over HTTP/2"
	SplitsLists              Fault = "accepts the first of several credentials in a line"
	AcceptsTabs              Fault = "accepts any white space before a token"
	IgnoresScheme            Fault = "accepts a token under any scheme"
	StripsIllegalBytes       Fault = "strips illegal bytes from a token"
	TrustsIdentityHeaders    Fault = "trusts the headers in which proxies pass on identities"
	GuardsOnePathOnly        Fault = "checks tokens on one spelling of its path only"
	TrustsProbes             Fault = "serves health probes without a token"
	ObeysMethodOverride      Fault = "obeys a header that names another method"
	RemembersConnections     Fault = "serves a connection that has had a good token"
	RunsBeforeTokenCheck     Fault = "runs a tool before it checks the token"
)

// Faults in checking a token.
const (
	AcceptsGarbage     Fault = "accepts a value that is not a token"
	ChecksNoSignature  Fault = "checks no signature"
	AcceptsNoAlgorithm Fault = "accepts alg none"
	AcceptsExpired     Fault = "accepts expired tokens"
	AcceptsNotYetValid Fault = "accepts tokens before their start"
	ChecksNoAudience   Fault = "checks no audience"
	ChecksNoIssuer     Fault = "checks no issuer"
)

// Faults in refusals.
const (
	RepeatsKeyID             Fault = "repeats the kid of a token in the challenge"
	ExplainsRefusals         Fault = "explains the flaw of a token"
	ListsToolsInRefusals     Fault = "lists its tools in a refusal"
	StartsSessionsInRefusals Fault = "starts a session in a refusal"
	LogsTokens               Fault = "logs tokens"
	MarksAnswersPublic       Fault = "marks its answers for shared caches"
	ReadsBodiesFirst         Fault = "reads the body of a request without a token"
)

// Faults in checking scopes.
const (
	EnforcesNoScope        Fault = "enforces no scope"
	KnowsNoBroaderScope    Fault = "knows no scope that includes another"
	RefusesScopeWith401    Fault = "refuses a token without the scope with 401"
	OmitsInsufficientScope Fault = "omits insufficient_scope"
	OmitsNeededScope       Fault = "omits scope from a 403"
	OmitsMetadataIn403     Fault = "omits resource_metadata from a 403"
	ChangesScopes          Fault = "asks for other scopes each time"
	AsksForTooFewScopes    Fault = "asks for a scope that does not suffice"
)

// Faults in checking headers and messages.
const (
	ChecksNoOrigin         Fault = "checks no Origin"
	ChecksOriginsSince2025 Fault = "checks no Origin before MCP 2025-11-25"
	ChecksNoHost           Fault = "checks no Host"
	ComparesHostsByCase    Fault = "accepts its host name in lower case only"
	ChecksNoContentType    Fault = "checks no Content-Type"
	TrustsMirrorHeaders    Fault = "decides by Mcp-Method and Mcp-Name, and runs what the body says"
	EndsNamesAtNUL         Fault = "reads the names of members up to a NUL"
	EndsWhenCallersLeave   Fault = "breaks a session when its caller leaves early"
	ReadsMessagesLeniently Fault = "uses the last of two members, in any letter case"
	ChecksNoVersion        Fault = "checks no MCP-Protocol-Version"
	RequiresVersion        Fault = "refuses requests without MCP-Protocol-Version"
	AnswersUnknownWith200  Fault = "answers an unknown method with 200 in 2026-07-28"
	StartsModernSessions   Fault = "starts sessions in 2026-07-28"
)

// Faults in sessions and streams.
const (
	SessionsOutliveTokens    Fault = "serves a session after its token has expired"
	SharesSessions           Fault = "lets any user use a session"
	BindsSessionsToTokens    Fault = "binds a session to the bytes of a token"
	AdoptsSessions           Fault = "adopts a session ID that the client chose"
	CountsSessions           Fault = "counts its sessions"
	SessionsAreNotASCII      Fault = "uses session IDs outside visible ASCII"
	MissingSessionIs404      Fault = "answers a missing session ID with 404"
	KeepsEndedSessions       Fault = "serves sessions that were ended"
	EndsSessionsWithoutToken Fault = "ends a session without a token"
	NeverExpiresSessions     Fault = "never expires sessions"
	SessionsPushOutOthers    Fault = "ends the least recently used session of any user"
	StreamsWithoutToken      Fault = "opens a stream without a token"
	ReopensEndedStreams      Fault = "opens a stream that ends at once, for a token that has just expired"
	StreamsAfterExpiry       Fault = "streams after the token has expired"
	StreamsEverything        Fault = "streams the events of all users to each"
	MixesAnswers             Fault = "answers one caller with another's result"
)

// Faults in HTTP.
const (
	// RunsAgainWithTrailers is the fault of a proxy whose transport fails on trailer fields and
	// repeats the call.
	RunsAgainWithTrailers      Fault = "runs a call with trailer fields again"
	AcceptsTokensInTrailers    Fault = "accepts a token in a trailer field"
	ReadsLengthBeforeChunks    Fault = "uses Content-Length although there is Transfer-Encoding"
	AcceptsTwoLengths          Fault = "uses the first of two Content-Lengths"
	AcceptsSpaceBeforeColon    Fault = "accepts a blank before a header's colon"
	BreaksOnLongHeaders        Fault = "breaks on long headers"
	BreaksOnLongBodies         Fault = "breaks on long bodies"
	HangsOnNesting             Fault = "never answers a deeply nested body"
	BreaksOnLongBodiesInFrames Fault = "breaks on long bodies over HTTP/2"
	DecompressesBombs          Fault = "decompresses bodies of any length"
	IgnoresRequestLineHost     Fault = "ignores the host in the request line"
	EndsLinesAtBareLF          Fault = "ends a chunk's line at a bare LF"
	GluesLinesAtBareLF         Fault = "ignores the line after a bare LF"
	RefusesAllUnderFlood       Fault = "refuses all tokens after many bad signatures"
	ParsesInQuadraticTime      Fault = "scans a header once for each of its commas"
	WaitsForReaders            Fault = "waits forever for an answer to be read"
	WaitsForSlowRequests       Fault = "waits forever for a slow request"
)
