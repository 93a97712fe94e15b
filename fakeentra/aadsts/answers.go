package aadsts

import (
	"encoding/json"
	"fmt"
	"time"
)

// The errors, by cause. Each takes the values in its sentence.

// TenantNotFound is AADSTS90002: the tenant in the address is unknown.
func TenantNotFound(tenant string) *Error { return from(90002, tenant) }

// TenantMalformed is AADSTS900023: the tenant in the address is neither a GUID nor a domain.
func TenantMalformed(tenant string) *Error { return from(900023, tenant) }

// AppNotFound is AADSTS700016: client_id names no app of the tenant.
func AppNotFound(app, tenant string) *Error { return from(700016, app, tenant) }

// AppIDMalformed is AADSTS700038: client_id is not a GUID, or only zeros.
func AppIDMalformed(app string) *Error { return from(700038, app) }

// PrincipalMissing is AADSTS7000229: the client of a client credentials grant has no service
// principal in the tenant.
func PrincipalMissing(app, tenant string) *Error { return from(7000229, app, tenant) }

// ServiceMissing is AADSTS650052: the client's registration lists an API that has no service
// principal in the tenant.
func ServiceMissing(api, name, tenant string) *Error { return from(650052, api, name, tenant) }

// AppDisabled is AADSTS7000112: an administrator has disabled the app.
func AppDisabled(app, name string) *Error { return from(7000112, app, name) }

// SingleTenant is AADSTS50194: a single-tenant app uses common or organizations, or sends its code
// or refresh token there (M).
func SingleTenant(app, name string) *Error { return from(50194, app, name) }

// PersonalAccountsOnly is AADSTS9002331: an app only for personal accounts uses another
// endpoint than consumers.
func PersonalAccountsOnly(app, name string) *Error { return from(9002331, app, name) }

// WorkAccountsOnly is AADSTS9002332: an app without personal accounts uses consumers.
func WorkAccountsOnly(app, name string) *Error { return from(9002332, app, name) }

// OldVersionForPersonal is AADSTS90027: personal accounts have no v1 endpoints.
func OldVersionForPersonal() *Error { return from(90027) }

// WrongKindOfAccount is AADSTS500208: a personal account at an endpoint for work accounts, or
// the reverse.
func WrongKindOfAccount() *Error { return from(500208) }

// NoTenant is AADSTS50059: a token request at common or organizations names no tenant.
func NoTenant() *Error { return from(50059) }

// UnknownInstance is AADSTS50049: instance discovery gets a host that does not belong to Entra ID.
func UnknownInstance() *Error { return from(50049) }

// MissingParameter is AADSTS900144: a required parameter is absent.
func MissingParameter(name string) *Error { return from(900144, name) }

// Malformed is AADSTS9002313: a form cannot be parsed, or has a parameter twice.
func Malformed() *Error { return from(9002313) }

// WrongMethod is AADSTS900561: the token endpoint gets another method than POST.
func WrongMethod(method string) *Error { return from(900561, method) }

// UnsupportedGrantType is AADSTS70003: Entra ID does not have this grant_type.
func UnsupportedGrantType(grant string) *Error { return from(70003, grant) }

// IDTokenNotEnabled is AADSTS700054: the app registration does not allow ID tokens from the
// authorization endpoint.
func IDTokenNotEnabled(kind string) *Error { return from(700054, kind) }

// TokenNotEnabled is AADSTS700051: the app registration does not allow access tokens from the
// authorization endpoint.
func TokenNotEnabled(kind string) *Error { return from(700051, kind) }

// UnsupportedResponseType is AADSTS70005: Entra ID does not have this response_type.
func UnsupportedResponseType(kind string) *Error { return from(70005, kind) }

// UnsupportedResponseMode is AADSTS70007: response_mode is unknown, or does not fit response_type.
func UnsupportedResponseMode(mode string) *Error { return from(70007, mode) }

// UnsupportedPrompt is AADSTS90023: Entra ID does not have this prompt, or the request has several.
// The person sees it on a page.
func UnsupportedPrompt() *Error {
	e := from(90023)
	e.Message = "Unsupported 'prompt' value."
	e.Unredirected = true
	return e
}

// OriginRefused is AADSTS90023: a script redeems the code of a native app.
func OriginRefused(origin string) *Error { return from(90023, origin) }

// RedirectMismatch is AADSTS50011: the redirect URI is not registered for the app.
func RedirectMismatch(uri, app string) *Error { return from(50011, uri, app) }

// RedirectMalformed is AADSTS90102: the redirect URI is not absolute.
func RedirectMalformed() *Error { return from(90102) }

// NoRedirectRegistered is AADSTS500113: a request without a redirect URI, from an app without
// one.
func NoRedirectRegistered() *Error { return from(500113) }

// RedirectDiffers is AADSTS500112: the redirect URI of a redemption differs from the one in the
// authorization request.
func RedirectDiffers(asked, before string) *Error { return from(500112, asked, before) }

// WrongSecret is AADSTS7000215: the client secret is wrong.
func WrongSecret(app string) *Error { return from(7000215, app) }

// ExpiredSecret is AADSTS7000222: the client secret has expired.
func ExpiredSecret(app string) *Error { return from(7000222, app) }

// NoCredential is AADSTS7000218: a confidential client sends no credential.
func NoCredential() *Error { return from(7000218) }

// NoCredentialForApp is AADSTS7000216: a request for client credentials has no credential.
func NoCredentialForApp() *Error { return from(7000216) }

// PublicClientCredential is AADSTS700025: a public client sends a credential.
func PublicClientCredential() *Error { return from(700025) }

// AssertionSignature is AADSTS700027: no certificate of the app signed a client assertion.
// Thumbprint is the name of the key in the assertion, in hexadecimal.
func AssertionSignature(app, thumbprint string) *Error { return from(700027, thumbprint, app, app) }

// AssertionTime is AADSTS700024: a client assertion is too early or too old.
func AssertionTime(now, notBefore, expiry time.Time) *Error {
	return from(700024, instant(now), instant(notBefore), instant(expiry))
}

// AssertionAudience is AADSTS700023: a client assertion has another audience.
func AssertionAudience() *Error { return from(700023) }

// AssertionClient is AADSTS700021: a client assertion names another client.
func AssertionClient() *Error { return from(700021) }

// AssertionMalformed is AADSTS50027: an assertion is not a JWT.
func AssertionMalformed() *Error { return from(50027) }

// AssertionAlgorithm is AADSTS5002730: the key of an assertion does not fit its algorithm.
func AssertionAlgorithm() *Error { return from(5002730) }

// NotFederated is AADSTS70025: a foreign token for an app without federated credentials. Until 2022
// it was AADSTS70021.
func NotFederated(app, name string) *Error { return from(70025, app, name) }

// FederatedFromEntra is AADSTS700222: a token of Entra ID as a foreign token. Entra ID accepts only
// tokens of managed identities.
func FederatedFromEntra() *Error { return from(700222) }

// FederatedIssuer is AADSTS700211: no federated credential has the issuer of a foreign token.
func FederatedIssuer(issuer string) *Error { return from(700211, issuer) }

// FederatedAudience is AADSTS700212: no federated credential has the audience of a foreign token.
func FederatedAudience(audience string) *Error { return from(700212, audience) }

// FederatedSubject is AADSTS700213: no federated credential has the subject of a foreign token.
func FederatedSubject(subject string) *Error { return from(700213, subject) }

// FederatedSubjectCase is AADSTS7002138: the subject of a foreign token differs from the one of a
// federated credential in upper and lower case alone.
func FederatedSubjectCase(subject string) *Error { return from(7002138, subject) }

// FederatedSubjectOfEntra is AADSTS7002137: no federated credential has the subject of a token of a
// managed identity.
func FederatedSubjectOfEntra(subject string) *Error { return from(7002137, subject, subject) }

// ChallengeMalformed is AADSTS501491: code_challenge or code_challenge_method is malformed.
func ChallengeMalformed() *Error { return from(501491) }

// VerifierMismatch is AADSTS501481: code_verifier is absent, or does not match the challenge. The
// code stays valid.
func VerifierMismatch() *Error { return from(501481) }

// SPAWithoutPKCE is AADSTS9002325: a single-page app sends a request without PKCE.
func SPAWithoutPKCE() *Error { return from(9002325) }

// CrossOriginNotSPA is AADSTS9002326: a script redeems the code of a web app.
func CrossOriginNotSPA(origin string) *Error { return from(9002326, origin) }

// SPANotCrossOrigin is AADSTS9002327: the code of a single-page app is not redeemed by a script.
func SPANotCrossOrigin() *Error { return from(9002327) }

// Expired is AADSTS70008: a code has expired.
func Expired() *Error { return from(70008) }

// Redeemed is AADSTS54005: a code is redeemed a second time.
func Redeemed() *Error { return from(54005) }

// OtherClient is AADSTS700007: a code or refresh token was issued to another client.
func OtherClient() *Error { return from(700007) }

// GrantInvalid is AADSTS70000: a code or refresh token is unknown.
func GrantInvalid() *Error { return from(70000) }

// OtherTenant is AADSTS700005: a code is redeemed at another tenant.
func OtherTenant() *Error { return from(700005) }

// Revoked is AADSTS50173: a refresh token was revoked. The tokens of the person are valid from a
// later time.
func Revoked(issued, validFrom time.Time) *Error {
	return from(50173, instant(issued), instant(validFrom))
}

// UserAssertion is AADSTS50013: the assertion of an on-behalf-of request is malformed, or
// another issuer signed it.
func UserAssertion() *Error { return from(50013) }

// UserAssertionAudience is AADSTS500131: the assertion of an on-behalf-of request is for another
// app.
func UserAssertionAudience(audience, app, name string) *Error {
	return from(500131, audience, app, app, name)
}

// UserAssertionTime is AADSTS500133: the assertion of an on-behalf-of request has expired.
func UserAssertionTime() *Error { return from(500133) }

// UserAssertionOfApp is AADSTS7000114: the assertion of an on-behalf-of request is an app-only
// token.
func UserAssertionOfApp(app string) *Error { return from(7000114, app) }

// UserAssertionIsIDToken is AADSTS240002: the assertion of an on-behalf-of request is an ID token.
func UserAssertionIsIDToken() *Error { return from(240002) }

// PasswordAtSharedEndpoint is AADSTS9001023: the password grant at common or consumers.
func PasswordAtSharedEndpoint() *Error { return from(9001023) }

// WrongPassword is AADSTS50126: a password is wrong.
func WrongPassword() *Error { return from(50126) }

// UserNotFound is AADSTS50034: the account is not in the directory with a domain or tenant ID.
func UserNotFound(place string) *Error { return from(50034, place) }

// PersonalAccountRefused is AADSTS500200: a personal account at an app for work accounts.
func PersonalAccountRefused(user string) *Error { return from(500200, user) }

// ForeignUser is AADSTS50020: an account of another organization that is not a guest here.
func ForeignUser(user, provider, tenant, app string) *Error {
	return from(50020, user, provider, tenant, app)
}

// UserLocked is AADSTS50053: an account is locked.
func UserLocked() *Error { return from(50053) }

// PasswordExpired is AADSTS50055: a password has expired.
func PasswordExpired() *Error { return from(50055) }

// NoPassword is AADSTS50056: an account has no password.
func NoPassword() *Error { return from(50056) }

// UserDisabled is AADSTS50057: an account is blocked.
func UserDisabled() *Error { return from(50057) }

// SignInNeeded is AADSTS50058: prompt=none, and no session.
func SignInNeeded() *Error { return from(50058) }

// WhichUser is AADSTS16000: prompt=none, and several accounts in the session.
func WhichUser() *Error { return from(16000) }

// MFANeeded is AADSTS50076: a policy asks for a second factor.
func MFANeeded(resource string) *Error { return from(50076, resource) }

// DeviceNotCompliant is AADSTS53000: a policy asks for a compliant device.
func DeviceNotCompliant() *Error { return from(53000) }

// Blocked is AADSTS53003: a policy blocks access.
func Blocked() *Error { return from(53003) }

// NotAssigned is AADSTS50105: the app requires assignment, and the user has none.
func NotAssigned(app, name, user string) *Error { return from(50105, name, app, user) }

// AppNotAssigned is AADSTS501051: the resource requires assignment, and the client of a client
// credentials grant has none.
func AppNotAssigned(app, name, asked, resource string) *Error {
	return from(501051, app, name, asked, resource)
}

// ConsentNeeded is AADSTS65001: prompt=none, and no consent.
func ConsentNeeded(app, name string) *Error { return from(65001, app, name) }

// ConsentDeclined is AADSTS65004: the person declined the permissions.
func ConsentDeclined() *Error { return from(65004) }

// AdminConsentNeeded is AADSTS90094: only an administrator can give consent.
func AdminConsentNeeded() *Error { return from(90094) }

// ScopeUnknown is AADSTS650053: the authorization endpoint gets a scope that the resource does
// not have.
func ScopeUnknown(app, scope, resource string) *Error { return from(650053, app, scope, resource) }

// ScopeInvalid is AADSTS70011: the token endpoint gets a scope that does not exist.
func ScopeInvalid(scope string) *Error { return from(70011, scope) }

// OfflineAccessAlone is AADSTS70011 for offline_access without openid and without a resource.
func OfflineAccessAlone() *Error {
	e := ScopeInvalid("offline_access")
	e.Message += " offline_access scope request must include either openid scope or a resource scope."
	return e
}

// ScopesOfSeveralResources is AADSTS28000: a request for one token has scopes of two resources.
func ScopesOfSeveralResources(scope string) *Error { return from(28000, scope) }

// WhichResource is AADSTS28003: the redemption of a code for two resources names neither.
func WhichResource() *Error { return from(28003) }

// DefaultScopeMixed is AADSTS70011 for /.default beside named scopes.
func DefaultScopeMixed(scope string) *Error {
	e := ScopeInvalid(scope)
	e.Message += " .default scope can't be combined with resource-specific scopes."
	return e
}

// ResourceNotListed is AADSTS650057: /.default or a v1 request for a resource that the client's
// registration does not list.
func ResourceNotListed(app, name, asked, resource, listed string) *Error {
	return from(650057, app, name, asked, resource, listed)
}

// NotDefaultScope is AADSTS1002012: a request for client credentials has named scopes.
func NotDefaultScope(scope string) *Error { return from(1002012, scope) }

// ResourceNotFound is AADSTS500011: a scope names a resource that the tenant does not have.
func ResourceNotFound(resource, tenant string) *Error { return from(500011, resource, tenant) }

// ResourceDisabled is AADSTS500014: a scope names a resource that an administrator has disabled.
func ResourceDisabled(resource string) *Error { return from(500014, resource) }

// ResourceUnsupported is AADSTS901002: the request has the parameter resource (rule before 2026).
func ResourceUnsupported() *Error { return from(901002) }

// ResourceMismatch is AADSTS9010010: the parameter resource is not an identifier URI of the app
// that owns the scopes (rule of 2026).
func ResourceMismatch() *Error { return from(9010010) }

// TokenForItself is AADSTS90009: an app refreshes a token for itself and names itself by URI.
func TokenForItself(app, name string) *Error { return from(90009, app, name) }

// Pending is AADSTS70016: no person has answered the request of the device yet.
func Pending() *Error { return from(70016) }

// DeviceDeclined is AADSTS70017: the person declined the request of the device.
func DeviceDeclined() *Error { return from(70017) }

// DeviceCodeUnknown is AADSTS70018: a device code or user code is unknown.
func DeviceCodeUnknown() *Error { return from(70018) }

// DeviceCodeExpired is AADSTS70020: a device code has expired.
func DeviceCodeExpired() *Error { return from(70020) }

// MalformedGrant is Malformed for a code or refresh token with the wrong format.
func MalformedGrant() *Error {
	e := Malformed()
	e.Code = "invalid_grant"
	return e
}

// ConsentNeededAtToken is ConsentNeeded at the token endpoint, with a suberror.
func ConsentNeededAtToken(app, name string) *Error {
	e := ConsentNeeded(app, name)
	e.Code = "invalid_grant"
	e.Suberror = "consent_required"
	return e
}

// InactiveRefreshToken is AADSTS700082: a refresh token was not used in its lifetime.
func InactiveRefreshToken(issued time.Time, inactive time.Duration) *Error {
	days := int(inactive / (24 * time.Hour))
	return from(700082, instant(issued), fmt.Sprintf("%d.00:00:00", days))
}

// SPARefreshToken is AADSTS700084: the refresh token of a single-page app has expired, a day
// after the sign-in.
func SPARefreshToken(issued time.Time, lifetime time.Duration) *Error {
	days := int(lifetime / (24 * time.Hour))
	return from(700084, fmt.Sprintf("%d.00:00:00", days), instant(issued))
}

// instant writes a time as the sentences of Entra ID do, with seven decimals.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// Challenged adds a claims challenge of Conditional Access, as a JSON string.
func (e *Error) Challenged(policyID string) *Error {
	policy := map[string]any{"essential": true, "values": []string{policyID}}
	text, err := json.Marshal(map[string]any{"access_token": map[string]any{"capolids": policy}})
	if err != nil {
		panic(err) // strings
	}
	e.Claims = string(text)
	return e
}
