package aadsts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// An Error is one answer of Entra ID that is not a success. Fill in what only the request knows before it is written.
type Error struct {
	Number       int
	Message      string // the sentence behind "AADSTSnnnn: "
	Code         string // the OAuth error code
	Status       int    // of the JSON answer; pages have status 200
	NoErrorURI   bool   // some answers lack error_uri
	Suberror     string
	Unredirected bool // has to be a page at the authorization endpoint, whatever is known of the client
}

func (e *Error) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.Number, e.Message) }

// An Occurrence is what makes one answer differ from another with the same number.
type Occurrence struct {
	TraceID       string
	CorrelationID string
	Time          time.Time
	Authority     string // scheme and host for error_uri
}

// Description is the text of error_description: the sentence and where it happened, separated by blanks as Entra has
// written it since 2023.
func (e *Error) Description(o Occurrence) string {
	return fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", e.Error(), o.TraceID, o.CorrelationID, o.timestamp())
}

// ErrorURI is the address of the page about the error, or "" where Entra gives none.
func (e *Error) ErrorURI(o Occurrence) string {
	if e.NoErrorURI {
		return ""
	}
	return fmt.Sprintf("%s/error?code=%d", o.Authority, e.Number)
}

func (o Occurrence) timestamp() string { return o.Time.UTC().Format("2006-01-02 15:04:05Z") }

// body has its members in the order of the wire.
type body struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	ErrorURI      string `json:"error_uri,omitempty"`
	Suberror      string `json:"suberror,omitempty"`
}

// JSON is the body of the error as the token endpoint sends it.
func (e *Error) JSON(o Occurrence) []byte {
	text, err := json.Marshal(body{
		Error: e.Code, Description: e.Description(o), Codes: []int{e.Number}, Timestamp: o.timestamp(),
		TraceID: o.TraceID, CorrelationID: o.CorrelationID, ErrorURI: e.ErrorURI(o), Suberror: e.Suberror,
	})
	if err != nil {
		panic(err) // a struct of strings
	}
	return text
}

func request(number int, code, format string, args ...any) *Error {
	return &Error{Number: number, Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) status(status int) *Error { e.Status = status; return e }
func (e *Error) noURI() *Error            { e.NoErrorURI = true; return e }
func (e *Error) page() *Error             { e.Unredirected = true; return e }
func (e *Error) sub(code string) *Error   { e.Suberror = code; return e }

// The catalogue, by what went wrong.

// Tenant and application.

// TenantNotFound is AADSTS90002: the tenant in the address is not known.
func TenantNotFound(tenant string) *Error {
	return request(90002, "invalid_request", "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", tenant).page()
}

// TenantMalformed is AADSTS900023: the tenant in the address can be neither a GUID nor a domain.
func TenantMalformed(tenant string) *Error {
	return request(900023, "invalid_request", "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.", tenant).page() // M
}

// AppNotFound is AADSTS700016: client_id names no app of the tenant.
func AppNotFound(app, tenant string) *Error {
	return request(700016, "unauthorized_client", "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.", app, tenant).page()
}

// AppIDMalformed is AADSTS700038: client_id is no GUID, or the GUID of zeros.
func AppIDMalformed(app string) *Error {
	return request(700038, "unauthorized_client", "%s is not a valid application identifier.", app).noURI().page()
}

// SingleTenant is AADSTS50194: an app of one tenant is used at common or organizations.
func SingleTenant(app string) *Error {
	return request(50194, "invalid_request", "Application '%s' is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.", app).page()
}

// NoTenant is AADSTS50059: a token request at common or organizations does not say which tenant is meant.
func NoTenant() *Error {
	return request(50059, "invalid_request", "No tenant-identifying information found in either the request or implied by any provided credentials.")
}

// The form of a request.

// MissingParameter is AADSTS900144: a required parameter is absent.
func MissingParameter(name string) *Error {
	return request(900144, "invalid_request", "The request body must contain the following parameter: '%s'.", name)
}

// Malformed is AADSTS9002313: a form that cannot be read, or says a thing twice.
func Malformed() *Error {
	return request(9002313, "invalid_request", "Invalid request. Request is malformed or invalid.")
}

// MalformedGrant is Malformed for a code or refresh token that cannot be one.
func MalformedGrant() *Error {
	e := Malformed()
	e.Code = "invalid_grant"
	return e
}

// WrongMethod is AADSTS900561: the token endpoint is asked with another method than POST.
func WrongMethod(method string) *Error {
	return request(900561, "invalid_request", "The endpoint only accepts POST requests. Received a %s request.", method) // M
}

// UnsupportedGrantType is AADSTS70003: grant_type is none that Entra ID has.
func UnsupportedGrantType(grant string) *Error {
	return request(70003, "unsupported_grant_type", "The app requested an unsupported grant type '%s'.", grant).noURI()
}

// UnsupportedResponseType is AADSTS700054: the app registration does not allow this response_type.
func UnsupportedResponseType(kind string) *Error {
	return request(700054, "unsupported_response_type", "response_type '%s' is not enabled for the application.", kind)
}

// UnsupportedResponseMode is AADSTS70007: response_mode is unknown, or not for this response_type.
func UnsupportedResponseMode(mode string) *Error {
	return request(70007, "invalid_request", "'%s' is not a supported value of 'response_mode' for this request.", mode) // M
}

// Redirect URIs.

// RedirectMismatch is AADSTS50011: the redirect URI is not one of the app.
func RedirectMismatch(uri, app string) *Error {
	return request(50011, "invalid_request", "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this.", uri, app).page()
}

// RedirectMalformed is AADSTS90102: the redirect URI is no absolute URI.
func RedirectMalformed(uri string) *Error {
	return request(90102, "invalid_request", "'redirect_uri' value must be a valid absolute URI.").page() // M
}

// NoRedirectRegistered is AADSTS500113: a request without a redirect URI, from an app that has none.
func NoRedirectRegistered() *Error {
	return request(500113, "invalid_request", "No reply address is registered for the application.").page()
}

// RedirectDiffers is AADSTS500112: a code is redeemed with another redirect URI than it was asked for with.
func RedirectDiffers() *Error {
	return request(500112, "invalid_client", "The reply address does not match the reply address provided when requesting Authorization code.") // M
}

// Credentials of a client.

// WrongSecret is AADSTS7000215: the client secret is not one of the app.
func WrongSecret(app string) *Error {
	return request(7000215, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app).status(http.StatusUnauthorized)
}

// NoCredential is AADSTS7000218: a confidential client shows no credential.
func NoCredential() *Error {
	return request(7000218, "invalid_client", "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.").status(http.StatusUnauthorized)
}

// NoCredentialForApp is AADSTS7000216: client credentials are asked for without a credential.
func NoCredentialForApp() *Error {
	return request(7000216, "invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.").status(http.StatusUnauthorized) // M
}

// PublicClientCredential is AADSTS700025: a public client shows a credential.
func PublicClientCredential() *Error {
	return request(700025, "invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.").status(http.StatusUnauthorized)
}

// AssertionRefused is AADSTS700027: a client assertion is signed by no certificate of the app.
func AssertionRefused() *Error {
	return request(700027, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application.").status(http.StatusUnauthorized)
}

// PKCE and platforms.

// ChallengeMalformed is AADSTS501491: code_challenge or its method cannot be right.
func ChallengeMalformed() *Error {
	return request(501491, "invalid_request", "Invalid size of Code_Challenge parameter.") // L
}

// VerifierMismatch is AADSTS501481: code_verifier is absent, or does not belong to the challenge; the code stays valid.
func VerifierMismatch() *Error {
	return request(501481, "invalid_grant", "The Code_Verifier does not match the code_challenge supplied in the authorization request.").noURI()
}

// SPAWithoutPKCE is AADSTS9002325: a single-page app asks without PKCE.
func SPAWithoutPKCE() *Error {
	return request(9002325, "invalid_request", "Proof Key for Code Exchange is required for cross-origin authorization code redemption.")
}

// CrossOriginNotSPA is AADSTS9002326: a script redeems the code of an app that is no single-page app.
func CrossOriginNotSPA(origin string) *Error {
	return request(9002326, "invalid_request", "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '%s'.", origin)
}

// SPANotCrossOrigin is AADSTS9002327: a single-page app's code is redeemed by no script.
func SPANotCrossOrigin() *Error {
	return request(9002327, "invalid_request", "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.")
}

// Codes and refresh tokens.

// Expired is AADSTS70008: a code or refresh token is too old.
func Expired() *Error {
	return request(70008, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
}

// Redeemed is AADSTS54005: a code is shown a second time.
func Redeemed() *Error {
	return request(54005, "invalid_grant", "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
}

// GrantInvalid is AADSTS70000: a code or refresh token is well formed and unknown, or of another client.
func GrantInvalid() *Error {
	return request(70000, "invalid_grant", "The provided grant is invalid or malformed.")
}

// Revoked is AADSTS50173: a refresh token was revoked.
func Revoked() *Error {
	return request(50173, "invalid_grant", "The provided grant has expired due to it being revoked, a fresh auth token is needed.").sub("bad_token")
}

// People.

// WrongPassword is AADSTS50126: a password is wrong.
func WrongPassword() *Error {
	return request(50126, "invalid_grant", "Error validating credentials due to invalid username or password.")
}

// UserNotFound is AADSTS50034: a name is none of the tenant.
func UserNotFound(user, tenant string) *Error {
	return request(50034, "invalid_grant", "The user account %s does not exist in the %s directory. To sign into this application, the account must be added to the directory.", user, tenant)
}

// UserDisabled is AADSTS50057: an account is blocked.
func UserDisabled() *Error { return request(50057, "invalid_grant", "The user account is disabled.") }

// SignInNeeded is AADSTS50058: prompt=none without a session.
func SignInNeeded() *Error {
	return request(50058, "login_required", "A silent sign-in request was sent but no user is signed in.")
}

// ConsentNeeded is AADSTS65001: prompt=none without consent.
func ConsentNeeded(app, name string) *Error {
	return request(65001, "interaction_required", "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.", app, name)
}

// ConsentNeededAtToken is ConsentNeeded at the token endpoint, where the suberror tells.
func ConsentNeededAtToken(app, name string) *Error {
	e := ConsentNeeded(app, name).sub("consent_required")
	e.Code = "invalid_grant"
	return e
}

// ConsentDeclined is AADSTS65004: somebody has said no to the permissions.
func ConsentDeclined() *Error {
	return request(65004, "access_denied", "User declined to consent to access the app.")
}

// Scopes and resources.

// ScopeUnknown is AADSTS650053: the authorization endpoint is asked for a scope that the resource lacks.
func ScopeUnknown(app, scope, resource string) *Error {
	return request(650053, "invalid_client", "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.", app, scope, resource)
}

// ScopeInvalid is AADSTS70011: the token endpoint is asked for a scope that cannot be.
func ScopeInvalid(scope string) *Error {
	return request(70011, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope)
}

// ScopesOfSeveralResources is AADSTS28000: one token is asked for with scopes of two resources.
func ScopesOfSeveralResources() *Error {
	return request(28000, "invalid_scope", "Provided value for the input parameter scope is not valid because it contains more than one resource.") // M
}

// NotDefaultScope is AADSTS1002012: client credentials are asked for with named scopes.
func NotDefaultScope(scope string) *Error {
	return request(1002012, "invalid_scope", "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", scope)
}

// ResourceNotFound is AADSTS500011: a scope names a resource that the tenant lacks.
func ResourceNotFound(resource, tenant string) *Error {
	return request(500011, "invalid_resource", "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.", resource, tenant)
}

// ResourceUnsupported is AADSTS901002: the parameter resource is there, by the rule before 2026.
func ResourceUnsupported() *Error {
	return request(901002, "invalid_request", "The 'resource' request parameter is not supported.")
}

// ResourceMismatch is AADSTS9010010: the parameter resource is not an identifier URI of the app that owns the scopes,
// by the rule of 2026.
func ResourceMismatch() *Error {
	return request(9010010, "invalid_target", "The resource parameter provided in the request doesn't match with the requested scopes.")
}

// TokenForItself is AADSTS90009: an app refreshes for itself and names itself by URI.
func TokenForItself(app, name string) *Error {
	return request(90009, "invalid_request", "Application '%s'(%s) is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier.", app, name)
}

// Instance discovery.

// UnknownInstance is AADSTS50049: instance discovery is asked about a host that is not Entra ID's.
func UnknownInstance() *Error {
	return request(50049, "invalid_instance", "Unknown or invalid instance.")
}

// Escape writes a query value as Entra does: lower-case escapes, and a plus for a blank.
func Escape(value string) string {
	var out strings.Builder
	for _, c := range []byte(value) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.!*()", c) >= 0:
			out.WriteByte(c)
		case c == ' ':
			out.WriteByte('+')
		default:
			fmt.Fprintf(&out, "%%%02x", c)
		}
	}
	return out.String()
}
