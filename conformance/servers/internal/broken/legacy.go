package broken

// Faults of a server that is its own authorization server for clients of MCP 2025-03-26.
const (
	HasMetadataBelowPath Fault = "has authorization server metadata only at an address with its path"
	KnowsNoDefaults      Fault = "has no metadata, and nothing at the default endpoints"
	OffersNoRegistration Fault = "offers no registration"
	RevokesInTheClear    Fault = "has a revocation endpoint in the clear"
	RegistersPlainHTTP   Fault = "registers redirect URIs in the clear"
	RedirectsAnywhere    Fault = "redirects to a redirect URI that is not registered"
)
