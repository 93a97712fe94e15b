package twins

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
	TakesTokensInQuery    Fault = "offers to take tokens in the query"
	HasEmptyArrays        Fault = "has empty arrays in its metadata"
	BelievesForwardedHost Fault = "believes X-Forwarded-Host"
	HasNoIssuerMetadata   Fault = "has no authorization server metadata"
	HasSlashInIssuer      Fault = "has a slash at the end of its issuer"
	HasNoTokenEndpoint    Fault = "has no token_endpoint"
	AdvertisesNoPKCE      Fault = "advertises no PKCE"
	HasEmptyIssuerArrays  Fault = "has empty arrays in its authorization server metadata"
	HasOpenIDMetadataOnly Fault = "has its authorization server metadata under OpenID Connect's name only"
)

// Faults of how credentials are read.
const (
	WantsBearerInOneCase Fault = "wants Bearer in one case"
	AcceptsQueryToken    Fault = "accepts a token in the query"
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

// Faults of what a request comes with.
const (
	ChecksNoOrigin Fault = "checks no Origin"
)
