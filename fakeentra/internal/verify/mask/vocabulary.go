package mask

// segments are the segments of paths that stay.
var segments = set(
	"common", "organizations", "consumers", "oauth2", "v2.0", "v1.0", "beta", "token", "authorize",
	"devicecode", "logout", "adminconsent", "discovery", "keys", "instance", ".well-known",
	"openid-configuration", "oauth-authorization-server", "userrealm", "UserRealm", "oidc", "userinfo",
	"me", "users", "groups", "memberOf", "transitiveMemberOf", "events", "photo", "$value", "$batch",
	"organization", "checkMemberGroups", "getMemberGroups", "getMemberObjects", "directoryObjects",
	"getByIds", "members", "metadata", "identity", "msi", "device", "error", "kerberos", "openid",
	"checksession", "federation", "login", "consent", "secondfactor",
)

// parameters are the parameters of requests whose values stay, apart from the IDs in them.
var parameters = set(
	"grant_type", "response_type", "response_mode", "prompt", "code_challenge_method", "api-version",
	"client_assertion_type", "requested_token_use", "client_info", "error", "error_subcode", "error_uri",
	"error_description", "admin_consent", "x-client-SKU",
)

// members are the members of JSON answers whose texts stay, apart from the IDs, times and names in
// them.
var members = set(
	"token_type", "error", "error_description", "error_uri", "suberror", "issuer", "token_endpoint",
	"token_endpoint_auth_methods_supported", "jwks_uri", "response_modes_supported",
	"subject_types_supported", "id_token_signing_alg_values_supported", "response_types_supported",
	"scopes_supported", "userinfo_endpoint", "authorization_endpoint", "device_authorization_endpoint",
	"end_session_endpoint", "claims_supported", "kerberos_endpoint", "cloud_instance_name",
	"cloud_graph_host_name", "msgraph_host", "rbac_url", "check_session_iframe", "kty", "use", "e", "alg",
	"verification_uri", "verification_url", "message", "tenant_discovery_endpoint", "api-version",
	"preferred_network", "preferred_cache", "aliases", "account_type", "federation_protocol",
	"cloud_audience_urn", "code_challenge_methods_supported", "grant_types_supported",
	"registration_endpoint", "@odata.context", "ver", "expires_in", "ext_expires_in",
	"strMainMessage", "strServiceExceptionMessage",
)

// numbers are the members of JSON answers whose numbers stay.
var numbers = set(
	"expires_in", "ext_expires_in", "refresh_in", "interval", "error_codes", "iErrorCode", "iHttpErrorCode",
	"statusCode",
)

// claims are the claims of tokens whose texts stay, apart from the IDs in them.
var claims = set(
	"typ", "alg", "ver", "idtyp", "acr", "amr", "appidacr", "azpacr", "iss", "aud", "xms_idrel", "xms_cc", "acct",
)

// times are the claims that hold a time.
var times = set("iat", "nbf", "exp", "auth_time")

// headers are the fields of answers that matter.
var headers = []string{
	"Access-Control-Allow-Headers",
	"Access-Control-Allow-Methods",
	"Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers",
	"Allow",
	"Cache-Control",
	"Client-Request-Id",
	"Content-Type",
	"Expires",
	"Location",
	"P3p",
	"Pragma",
	"Retry-After",
	"Strict-Transport-Security",
	"Www-Authenticate",
	"X-Content-Type-Options",
	"X-Ms-Request-Id",
}

// masksHeader are those that can hold an ID or a name.
var masksHeader = set("Access-Control-Allow-Origin", "Client-Request-Id", "Www-Authenticate", "X-Ms-Request-Id")

// wellKnown are the IDs that are the same in every tenant: Microsoft Graph, and the tenant of
// personal accounts.
var wellKnown = set("00000003-0000-0000-c000-000000000000", "9188040d-6c67-4c5b-b112-36a304b66dad")

// scopeNames are the scopes that stay. All others may name an API of the tenant.
var scopeNames = set(
	"openid", "profile", "email", "offline_access", "User.Read", "Calendars.Read", "Mail.Send", ".default",
)

// quoted are the texts between quotation marks that stay in a sentence.
var quoted = set(
	"scope", "client_id", "client_secret", "client_assertion", "grant_type", "code", "request",
	"client_credentials", "resource", "redirect_uri", "refresh_token", "device_code", "assertion", "username",
	"password", "response_type", "prompt", "id_token", "token", "tenant", "assigned", "Single-Page Application",
	"Native", "EncodedHeader.EncodedPayload.EncodedSignature", "authorization_endpoint", "requested_token_use",
	"EncodedProtectedHeader.EncodedEncryptedKey.EncodedInitializationVector.EncodedCiphertext.EncodedAuthenticationTag",
	"POST", "GET", "OPTIONS", "PUT", "DELETE",
)

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}
