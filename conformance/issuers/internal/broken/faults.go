package broken

// A Fault is one way to be broken. Its text says what an authorization server with the fault does.
type Fault string

// Faults in the metadata.
const (
	HasNoMetadata            Fault = "publishes no metadata"
	HasOpenIDMetadataOnly    Fault = "has its metadata only under OpenID Connect's name"
	ServesMetadataAsText     Fault = "serves its metadata as text/plain"
	NamesAnotherIssuer       Fault = "names another issuer in its metadata"
	HasQueryInIssuer         Fault = "has a query in its issuer"
	HasNoTokenEndpoint       Fault = "has no token_endpoint"
	HasEmptyArrays           Fault = "has empty arrays in its metadata"
	LacksKeys                Fault = "lacks jwks_uri in its OpenID Connect discovery"
	AdvertisesNoPKCE         Fault = "advertises no PKCE"
	NamesPlainHTTP           Fault = "names an endpoint without TLS"
	ListsNoSigningAlgorithms Fault = "lists private_key_jwt without signing algorithms"
	AdvertisesPasswords      Fault = "advertises the password grant"
	AdvertisesNoIss          Fault = "sends iss without advertising it"
)

// Faults in the registration of clients.
const (
	AnswersRegistrationsWith202 Fault = "answers a registration with 202"
	OmitsSecretExpiry           Fault = "omits client_secret_expires_at"
	GivesEveryClientSecret      Fault = "gives public clients a secret"
	RefusesRegistrationsOddly   Fault = "refuses registrations with 418"
	RefusesUnknownMembers       Fault = "refuses client metadata that it does not know"
	RegistersScripts            Fault = "registers redirect URIs that run scripts"
	RegistersSplitScripts       Fault = "registers redirect URIs with a tab or a line break in the scheme"
	RegistersFragments          Fault = "registers redirect URIs with a fragment"
	RegistersPlainHTTP          Fault = "registers redirect URIs without TLS"
	AdoptsClientIDs             Fault = "adopts a client ID that the client chose"
	BreaksOnRegistrations       Fault = "breaks on registrations that are not JSON"
	ShowsLogos                  Fault = "links to the addresses that a client registered"
	HasNoRegistration           Fault = "offers no registration"
	CachesSecrets               Fault = "lets caches store the secrets of clients"
)

// Faults at the authorization endpoint.
const (
	AllowsPagesToAuthorize       Fault = "allows pages of other sites to read the authorization endpoint"
	IgnoresRepetition            Fault = "uses the first of two parameters"
	RedirectsUnknownClients      Fault = "redirects for an unknown client"
	MatchesBeginnings            Fault = "compares only the beginnings of redirect URIs"
	MatchesHosts                 Fault = "compares only the hosts of redirect URIs"
	MatchesAnyCase               Fault = "compares redirect URIs without letter case"
	MatchesAnyPort               Fault = "accepts any port in redirect URIs"
	MatchesUserinfo              Fault = "ignores user names in redirect URIs"
	RedirectsAnywhere            Fault = "redirects to any redirect URI"
	MatchesOtherSpellings        Fault = "accepts a redirect URI in another spelling"
	WantsLoopbackPort            Fault = "wants the registered port of loopback redirect URIs"
	IssuesImplicitTokens         Fault = "accepts every response type"
	WantsNoPKCE                  Fault = "wants no code challenge"
	WantsPKCEOfPublicClientsOnly Fault = "wants a code challenge of public clients only"
	AcceptsAnyMethod             Fault = "accepts any challenge method as plain"
	KnowsEveryResource           Fault = "issues tokens for every resource"
	ComparesResourcesByCase      Fault = "accepts a resource in lower case only"
	RefusesResources             Fault = "refuses requests with a resource"
	AnswersFragmentTokens        Fault = "puts access tokens into redirects"
	BreaksOnLongRequests         Fault = "breaks on long requests"
	RefusesResourcesOddly        Fault = "refuses a resource without invalid_target"
	RefusesTwoResourcesOddly     Fault = "refuses two resources as a repeated parameter"
	RefusesUnknownParameters     Fault = "refuses unknown parameters"
	GrantsEveryScope             Fault = "grants every scope"
	BreaksWithoutScope           Fault = "refuses requests without scope as invalid"
	RedirectsErrorsAnywhere      Fault = "redirects an error to any registered site"
	ShowsErrorsOnPages           Fault = "shows all errors on pages"
	ForgetsState                 Fault = "forgets the state"
	CleansState                  Fault = "removes characters from the state"
	ExplainsBadly                Fault = "uses forbidden characters in error descriptions"
	OmitsIss                     Fault = "omits iss although it is advertised"
	OmitsIssFromErrors           Fault = "omits iss from errors"
	SendsAnotherIss              Fault = "sends an iss that differs from the issuer"
	DropsRedirectQueries         Fault = "drops the query of a redirect URI"
	AnswersDenialsOddly          Fault = "answers a refusal of consent with server_error"
	UsesFirstRedirect            Fault = "uses the first redirect URI if none is named"
	AnswersSilentRequests        Fault = "answers prompt=none before it checks the redirect URI"
	RegistersResponseParameters  Fault = "registers redirect URIs with parameters of the response"
	RepeatsResponseParameters    Fault = "repeats the parameters of its response"
)

// Faults at the token endpoint.
const (
	CountsCodes              Fault = "counts its codes"
	LetsCachesStoreTokens    Fault = "lets caches store tokens"
	RefusesTokensWith500     Fault = "refuses token requests with 500"
	TakesTokenRequestsByGET  Fault = "takes token requests by GET"
	OmitsBasicChallenge      Fault = "omits WWW-Authenticate from a 401"
	AcceptsTwoMethods        Fault = "accepts a client that authenticates twice"
	ChecksNoSecret           Fault = "checks no client secret"
	TakesPasswords           Fault = "serves grants that it does not advertise"
	RedeemsForAnyClient      Fault = "redeems a code for any client"
	IgnoresRedirectAtToken   Fault = "ignores another redirect URI at the token endpoint"
	RedeemsCodesTwice        Fault = "redeems a code twice"
	IgnoresReplays           Fault = "keeps a grant whose code was replayed"
	EndsGrantsOnAnyReplay    Fault = "ends a grant when a code is replayed without its verifier"
	NeverExpiresCodes        Fault = "never expires codes"
	ChecksNoVerifier         Fault = "checks no code verifier"
	ChecksVerifierIfSent     Fault = "checks a code verifier only if one is sent"
	IgnoresNeedlessVerifiers Fault = "ignores a code verifier without a challenge"
	IssuesLongTokens         Fault = "issues access tokens for a day"
	OmitsTokenType           Fault = "omits token_type"
	RefusesSecretsInBody     Fault = "refuses a client secret in the body"
	IgnoresTokenResource     Fault = "ignores the resource of a token request"
	ExchangesResources       Fault = "issues a token for another of its resources than the code's"
	RedeemsAtTheSameTime     Fault = "redeems a code for requests at the same time"
	BreaksOnCodes            Fault = "breaks on a good code"
	OmitsGrantedScope        Fault = "omits the granted scope"
	RedeemsYoungForeignCodes Fault = "refuses a code of another client only after it has expired"
	BreaksOnOtherForms       Fault = "breaks on token requests that are not forms"
	ExchangesAnyToken        Fault = "exchanges any token for its own"
	ChecksNoSecretOfApps     Fault = "checks no secret of clients that call for themselves"
)

// Faults in refresh tokens and revocation.
const (
	RefreshesForAnyClient      Fault = "refreshes for any client"
	RefreshesEndedGrants       Fault = "refreshes grants that have ended"
	NeverRotates               Fault = "never rotates refresh tokens"
	IgnoresStolenRefreshTokens Fault = "keeps a family whose refresh token was used twice"
	AcceptsUsedRefreshTokens   Fault = "accepts a refresh token twice"
	WidensScopes               Fault = "adds scopes at a refresh"
	WidensResources            Fault = "changes the resource at a refresh"
	NarrowsGrants              Fault = "narrows a grant with the scope of a refresh"
	RefusesUnknownRevocations  Fault = "refuses to revoke an unknown token"
	RevokesForAnyClient        Fault = "revokes tokens of other clients"
	RevokesNothing             Fault = "revokes nothing"
	TrustsRevocationHints      Fault = "finds a token only with the right hint"
)

// Faults of the pages.
const (
	AllowsFrames          Fault = "lets other sites frame its pages"
	ShowsCookiesToScripts Fault = "lets scripts read its cookies"
	SendsCookiesInClear   Fault = "sends its cookies also without TLS"
	RedirectsWith307      Fault = "redirects a sign-in with 307"
	HidesRedirectHost     Fault = "does not show where the answer goes"
	RunsParameters        Fault = "writes parameters into error pages without escapes"
	RunsClientNames       Fault = "writes a client's name without escapes"
	ChecksNoCSRF          Fault = "checks no token of the consent form"
	ChecksNoOrigin        Fault = "takes consent forms from pages of other sites"
	RemembersPeople       Fault = "approves every client of a person who is signed in"
	RemembersClients      Fault = "approves a client again that was approved before"
	RemembersExactly      Fault = "approves a request again that was approved before"
	RemembersForResources Fault = "approves a request again that was approved before for another resource"
	MixesTransactions     Fault = "keeps one transaction for each browser"
	AllowsInlineScripts   Fault = "allows inline scripts in its pages"
	ShowsControls         Fault = "shows the control characters of a client's name"
	FillsBrowsers         Fault = "sets a cookie for each authorization"
)

// Faults with client ID metadata documents.
const (
	HasNoDocuments           Fault = "advertises client documents and has none"
	AdvertisesNoDocuments    Fault = "does not advertise its client documents"
	FetchesNoDocuments       Fault = "trusts a client without its document"
	AcceptsAnyDocumentURL    Fault = "accepts every URL as client ID"
	AcceptsOtherDocuments    Fault = "accepts a document of another client"
	AcceptsInvalidDocuments  Fault = "accepts a document that is not JSON"
	AcceptsErrorDocuments    Fault = "accepts a document with an error status"
	TrustsDocumentSecrets    Fault = "trusts a secret in a document"
	ForgetsPrivateKeys       Fault = "asks a client for none of the assertions that its document announces"
	CachesDocumentErrors     Fault = "caches documents that failed"
	CachesAllDocuments       Fault = "caches documents that must not be stored"
	FetchesFromAnywhere      Fault = "fetches documents from private addresses"
	KnowsUsualRanges         Fault = "fetches documents from unusual private addresses"
	FollowsDocumentRedirects Fault = "follows redirects to private addresses"
	ReadsEndlessDocuments    Fault = "reads endless documents"
	HidesClientHost          Fault = "does not show the host of a client ID"
	WarnsOfNoProgram         Fault = "shows the same page for programs as for sites"
)

// Faults in introspection.
const (
	IntrospectsForAnybody    Fault = "introspects tokens without credentials"
	IntrospectsForAllClients Fault = "introspects tokens of other clients"
	IntrospectsEndedTokens   Fault = "calls revoked tokens active"
	IssuesOneAudience        Fault = "issues tokens for everything"
	IssuesForItself          Fault = "issues each token for its own address"
	TellsUserToAnyToken      Fault = "answers at userinfo to tokens for another resource"
)

// Faults in device authorization.
const (
	OmitsUserCode              Fault = "omits user_code"
	IssuesBeforeApproval       Fault = "issues tokens to devices that are not approved"
	ApprovesDevicesByLink      Fault = "approves a device by a link"
	RedeemsDevicesTwice        Fault = "redeems a device code twice"
	RedeemsDevicesForAnyClient Fault = "redeems a device code for any client"
	NeverExpiresDevices        Fault = "never expires device codes"
	NeverSlowsDown             Fault = "lets devices poll without a pause"
	EndsHastyDevices           Fault = "ends a device code that was polled too fast"
)
