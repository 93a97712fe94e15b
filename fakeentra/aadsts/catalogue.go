package aadsts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Confidence says how well a fact about Entra ID is known.
type Confidence string

const (
	High   Confidence = "H"
	Medium Confidence = "M"
	Low    Confidence = "L"
)

// Words are the confidence in words.
func (c Confidence) Words() string {
	switch c {
	case High:
		return "recorded, or documented and in agreement with reports"
	case Medium:
		return "documented or reported, never recorded"
	}
	return "from memory: number and cause are sound, the error code may not be"
}

// An Entry is one error as the catalogue has it.
type Entry struct {
	Number     int
	Code       string // the OAuth error code
	Status     int    // of the JSON answer
	Sentence   string // with %s where an answer names something
	Confidence Confidence

	noURI, page bool
	suberror    string
}

const (
	bad          = http.StatusBadRequest
	unauthorized = http.StatusUnauthorized
)

// Catalogue lists every error that is known here, by number.
func Catalogue() []Entry {
	all := slices.Concat(
		tenants(),
		requests(),
		redirects(),
		credentials(),
		proofKeys(),
		grants(),
		people(),
		access(),
		scopes(),
		devices(),
		service(),
	)
	slices.SortFunc(all, func(a, b Entry) int { return a.Number - b.Number })
	return all
}

// byNumber is the catalogue as answers look things up in it.
var byNumber = sync.OnceValue(func() map[int]Entry {
	entries := map[int]Entry{}
	for _, entry := range Catalogue() {
		entries[entry.Number] = entry
	}
	return entries
})

// Lookup finds an entry by its number.
func Lookup(number int) (Entry, bool) {
	entry, found := byNumber()[number]
	return entry, found
}

// Find makes an error by its number alone. What the sentence would name is left out.
func Find(number int) (*Error, bool) {
	entry, found := Lookup(number)
	if !found {
		return nil, false
	}
	return entry.error(), true
}

// error fills in what the sentence names; with too few words the rest is an ellipsis.
func (e Entry) error(words ...string) *Error {
	arguments := make([]any, strings.Count(e.Sentence, "%s"))
	for i := range arguments {
		arguments[i] = "…"
		if i < len(words) {
			arguments[i] = words[i]
		}
	}
	return &Error{
		Number:       e.Number,
		Code:         e.Code,
		Status:       e.Status,
		Message:      fmt.Sprintf(e.Sentence, arguments...),
		NoErrorURI:   e.noURI,
		Unredirected: e.page,
		Suberror:     e.suberror,
	}
}

// from makes an error of a number that its caller knows to be in the catalogue.
func from(number int, words ...string) *Error {
	entry, found := byNumber()[number]
	if !found {
		panic(fmt.Sprintf("aadsts: %d is not in the catalogue", number))
	}
	return entry.error(words...)
}

func tenants() []Entry {
	return []Entry{
		{
			Number:     90002,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
		},
		{
			Number:     900023,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "Specified tenant identifier '%s' is neither a valid DNS name, nor a valid external domain.",
		},
		{
			Number:     700016,
			Code:       "unauthorized_client",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
		},
		{
			Number:     700038,
			Code:       "unauthorized_client",
			Status:     bad,
			Confidence: High,
			noURI:      true,
			page:       true,
			Sentence:   "%s is not a valid application identifier.",
		},
		{
			Number:     7000112,
			Code:       "unauthorized_client",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Application '%s'(%s) is disabled.",
		},
		{
			Number:     70001,
			Code:       "unauthorized_client",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The application is disabled or not present.",
		},
		{
			Number:     50194,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Application '%s'(%s) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
		},
		{
			Number:     50059,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "No tenant-identifying information found in either the request or implied by any provided credentials.",
		},
		{
			Number:     90019,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The request names no tenant.",
		},
		{
			Number:     90038,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The tenant lives in another cloud.",
		},
		{
			Number:     50049,
			Code:       "invalid_instance",
			Status:     bad,
			Confidence: High,
			Sentence:   "Unknown or invalid instance.",
		},
		{
			Number:     9002331,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Application '%s'(%s) is configured for use by Microsoft Account users only. Please use the /consumers endpoint to serve this request.",
		},
		{
			Number:     9002332,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Application '%s'(%s) is configured for use by Azure Active Directory users only. Please do not use the /consumers endpoint to serve this request.",
		},
		{
			Number:     90124,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			page:       true,
			Sentence:   "The resource is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
		},
		{
			Number:     90130,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			page:       true,
			Sentence:   "The application is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
		},
		{
			Number:     90027,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "We are unable to issue tokens from this API version on the MSA tenant. Please contact the application vendor as they need to use version 2.0 of the protocol to support this.",
		},
		{
			Number:     500208,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The domain is not a valid login domain for the account type.",
		},
	}
}

func requests() []Entry {
	return []Entry{
		{
			Number:     900144,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "The request body must contain the following parameter: '%s'.",
		},
		{
			Number:     90014,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "The required field '%s' is missing from the credential.",
		},
		{
			Number:     90023,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The request cannot be processed.",
		},
		{
			Number:     9002313,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "Invalid request. Request is malformed or invalid.",
		},
		{
			Number:     900561,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The endpoint only accepts POST requests. Received a %s request.",
		},
		{
			Number:     90056,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The resource does not take this request.",
		},
		{
			Number:     70003,
			Code:       "unsupported_grant_type",
			Status:     bad,
			Confidence: High,
			noURI:      true,
			Sentence:   "The app requested an unsupported grant type '%s'.",
		},
		{
			Number:     700054,
			Code:       "unsupported_response_type",
			Status:     bad,
			Confidence: High,
			Sentence:   "response_type '%s' is not enabled for the application.",
		},
		{
			Number:     700051,
			Code:       "unsupported_response_type",
			Status:     bad,
			Confidence: Low,
			Sentence:   "response_type '%s' is not enabled for the application.",
		},
		{
			Number:     70005,
			Code:       "unsupported_response_type",
			Status:     bad,
			Confidence: High,
			Sentence:   "The app returned an unsupported response type '%s'.",
		},
		{
			Number:     70007,
			Code:       "unsupported_response_type",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "'%s' is not a supported value of 'response_mode' when requesting a token.",
		},
		{Number: 135010, Code: "invalid_request", Status: bad, Confidence: Low, Sentence: "The key was not found."},
		{
			Number:     392189,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			Sentence:   "A TLS client certificate is required.",
		},
		{
			Number:     51000,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			Sentence:   "A required feature is not enabled.",
		},
	}
}

func redirects() []Entry {
	return []Entry{
		{
			Number:     50011,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this.",
		},
		{
			Number:     90102,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "'redirect_uri' value must be a valid absolute URI.",
		},
		{
			Number:     500113,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "No reply address is registered for the application.",
		},
		{
			Number:     900971,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "No reply address provided.",
		},
		{
			Number:     500112,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.",
		},
	}
}

func credentials() []Entry {
	return []Entry{
		{
			Number:     7000215,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.",
		},
		{
			Number:     7000216,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
		},
		{
			Number:     7000218,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
		},
		{
			Number:     7000222,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "The provided client secret keys for app '%s' are expired.",
		},
		{
			Number:     700025,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
		},
		{
			Number:     700027,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "The certificate with identifier used to sign the client assertion is not registered on application.",
		},
		{
			Number:     700024,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "Client assertion is not within its valid time range.",
		},
		{
			Number:     700023,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "Client assertion audience claim does not match Realm issuer.",
		},
		{
			Number:     700021,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Low,
			Sentence:   "Client assertion application identifier doesn't match 'client_id' parameter.",
		},
		{
			Number:     50027,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "JWT token is invalid or malformed.",
		},
		{
			Number:     700211,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "No matching federated identity record found for presented assertion issuer '%s'.",
		},
		{
			Number:     700212,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "No matching federated identity record found for presented assertion audience '%s'.",
		},
		{
			Number:     700213,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "No matching federated identity record found for presented assertion subject '%s'.",
		},
		{
			Number:     70021,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "No matching federated identity record found for presented assertion.",
		},
	}
}

func proofKeys() []Entry {
	return []Entry{
		{
			Number:     501491,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			Sentence:   "Invalid size of Code_Challenge parameter.",
		},
		{
			Number:     501481,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			noURI:      true,
			Sentence:   "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
		},
		{
			Number:     50148,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
		},
		{
			Number:     9002325,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
		},
		{
			Number:     9002326,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '%s'.",
		},
		{
			Number:     9002327,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
		},
	}
}

func grants() []Entry {
	return []Entry{
		{
			Number:     70008,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
		},
		{
			Number:     54005,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
		},
		{
			Number:     70000,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "The provided grant is invalid or malformed.",
		},
		{
			Number:     700005,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The provided authorization code is intended to be used against another tenant.",
		},
		{
			Number:     700003,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The device object was not found in the tenant.",
		},
		{
			Number:     700081,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Low,
			Sentence:   "The refresh token has expired due to maximum lifetime.",
		},
		{
			Number:     700082,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "bad_token",
			Sentence:   "The refresh token has expired due to inactivity. The token was issued on %s and was inactive for %s.",
		},
		{
			Number:     700084,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of %s, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to the sign in page. The token was issued on %s.",
		},
		{
			Number:     50173,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "bad_token",
			Sentence:   "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
		},
		{
			Number:     50013,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "Assertion failed signature validation.",
		},
		{
			Number:     500131,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '%s' and the expected audience is '%s' or one of the Application Uris of this application.",
		},
		{
			Number:     500133,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token.",
		},
		{
			Number:     7000114,
			Code:       "unauthorized_client",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Application '%s' is not allowed to make application on-behalf-of calls.",
		},
		{
			Number:     240002,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			Sentence:   "Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant.",
		},
		{
			Number:     9001023,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
		},
	}
}

func people() []Entry {
	return []Entry{
		{
			Number:     50126,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "Error validating credentials due to invalid username or password.",
		},
		{
			Number:     50034,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			Sentence:   "The user account %s does not exist in the %s directory. To sign into this application, the account must be added to the directory.",
		},
		{
			Number:     51004,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The user account is not in the directory.",
		},
		{
			Number:     50020,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "User account '%s' from identity provider '%s' does not exist in tenant '%s' and cannot access the application '%s' in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.",
		},
		{
			Number:     90072,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The external account does not exist in the tenant.",
		},
		{
			Number:     50053,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
		},
		{
			Number:     50055,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "user_password_expired",
			Sentence:   "The password is expired.",
		},
		{
			Number:     50056,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Invalid or null password: password doesn't exist in the directory for this user.",
		},
		{
			Number:     50057,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "The user account is disabled.",
		},
		{
			Number:     50058,
			Code:       "login_required",
			Status:     bad,
			Confidence: High,
			Sentence:   "A silent sign-in request was sent but no user is signed in.",
		},
		{
			Number:     16000,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Several accounts are signed in, and the request does not say which is meant.",
		},
		{
			Number:     50196,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
		},
	}
}

// access is what consent, assignment and Conditional Access say.
func access() []Entry {
	return []Entry{
		{
			Number:     50076,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "basic_action",
			Sentence:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '%s'.",
		},
		{
			Number:     50079,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "basic_action",
			Sentence:   "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '%s'.",
		},
		{
			Number:     50074,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Strong authentication is required.",
		},
		{
			Number:     50072,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The user has to enrol for a second factor.",
		},
		{
			Number:     50131,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The device is not in the required state.",
		},
		{
			Number:     50097,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Device authentication is required.",
		},
		{
			Number:     53000,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			suberror:   "message_only",
			page:       true,
			Sentence:   "Your device is required to be compliant to access this resource.",
		},
		{
			Number:     53001,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			suberror:   "message_only",
			page:       true,
			Sentence:   "Device is not in required device state: domain joined.",
		},
		{
			Number:     53002,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			suberror:   "message_only",
			page:       true,
			Sentence:   "Application used is not an approved application for Conditional Access.",
		},
		{
			Number:     53003,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			suberror:   "message_only",
			page:       true,
			Sentence:   "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
		},
		{
			Number:     53004,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			suberror:   "additional_action",
			page:       true,
			Sentence:   "The user has to enrol for multi-factor authentication, and risk forbids it here.",
		},
		{
			Number:     501051,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Application '%s'(%s) is not assigned to a role for the application '%s'(%s).",
		},
		{
			Number:     50105,
			Code:       "invalid_grant",
			Status:     bad,
			Confidence: High,
			page:       true,
			Sentence:   "Your administrator has configured the application %s ('%s') to block users unless they are specifically granted ('assigned') access to the application. The signed-in user '%s' is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator.",
		},
		{
			Number:     65001,
			Code:       "interaction_required",
			Status:     bad,
			Confidence: High,
			Sentence:   "The user or administrator has not consented to use the application with ID '%s' named '%s'. Send an interactive authorization request for this user and resource.",
		},
		{
			Number:     65004,
			Code:       "access_denied",
			Status:     bad,
			Confidence: High,
			Sentence:   "User declined to consent to access the app.",
		},
		{
			Number:     90094,
			Code:       "access_denied",
			Status:     bad,
			Confidence: High,
			Sentence:   "Admin consent is required for the permissions requested by this application.",
		},
		{
			Number:     65005,
			Code:       "invalid_resource",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The application asks for a resource that its registration does not list.",
		},
		{
			Number:     650052,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "The app is trying to access a service that your organization lacks a service principal for.",
		},
		{
			Number:     650056,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: Medium,
			Sentence:   "Misconfigured application: its registration lists no permissions.",
		},
		{
			Number:     650057,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			noURI:      true,
			Sentence:   "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration. Client app ID: %s(%s). Resource value from request: %s. Resource app ID: %s. List of valid resources from app registration: %s.",
		},
	}
}

func scopes() []Entry {
	return []Entry{
		{
			Number:     650053,
			Code:       "invalid_client",
			Status:     unauthorized,
			Confidence: High,
			Sentence:   "The application '%s' asked for scope '%s' that doesn't exist on the resource '%s'. Contact the app vendor.",
		},
		{
			Number:     70011,
			Code:       "invalid_scope",
			Status:     bad,
			Confidence: High,
			Sentence:   "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.",
		},
		{
			Number:     28000,
			Code:       "invalid_scope",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Provided value for the input parameter scope is not valid because it contains more than one resource.",
		},
		{
			Number:     28002,
			Code:       "invalid_scope",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Provided value for the input parameter scope is not valid when requesting an access token.",
		},
		{
			Number:     28003,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope.",
		},
		{
			Number:     700022,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Low,
			Sentence:   "The provided value for the input parameter 'scope' isn't valid because it contains more than one resource.",
		},
		{
			Number:     1002012,
			Code:       "invalid_scope",
			Status:     bad,
			Confidence: High,
			Sentence:   "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
		},
		{
			Number:     500011,
			Code:       "invalid_resource",
			Status:     bad,
			Confidence: High,
			Sentence:   "The resource principal named %s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
		},
		{
			Number:     50001,
			Code:       "invalid_resource",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "The resource is disabled or not known.",
		},
		{
			Number:     500014,
			Code:       "invalid_resource",
			Status:     bad,
			Confidence: Medium,
			page:       true,
			Sentence:   "The service principal for resource '%s' is disabled.",
		},
		{
			Number:     901002,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: High,
			Sentence:   "The 'resource' request parameter is not supported.",
		},
		{
			Number:     9010010,
			Code:       "invalid_target",
			Status:     bad,
			Confidence: High,
			Sentence:   "The resource parameter provided in the request doesn't match with the requested scopes.",
		},
		{
			Number:     90009,
			Code:       "invalid_request",
			Status:     bad,
			Confidence: Medium,
			Sentence:   "Application '%s'(%s) is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier.",
		},
	}
}

func devices() []Entry {
	return []Entry{
		{
			Number:     70016,
			Code:       "authorization_pending",
			Status:     bad,
			Confidence: High,
			Sentence:   "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
		},
		{
			Number:     70017,
			Code:       "authorization_declined",
			Status:     bad,
			Confidence: Low,
			Sentence:   "The person declined the request of the device.",
		},
		{
			Number:     70018,
			Code:       "bad_verification_code",
			Status:     bad,
			Confidence: High,
			Sentence:   "Invalid verification code due to User typing in wrong user code for device code flow.",
		},
		{Number: 70019, Code: "expired_token", Status: bad, Confidence: High, Sentence: "Verification code expired."},
		{
			Number:     70020,
			Code:       "expired_token",
			Status:     bad,
			Confidence: High,
			Sentence:   "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
		},
	}
}

func service() []Entry {
	return []Entry{
		{
			Number:     90055,
			Code:       "temporarily_unavailable",
			Status:     http.StatusTooManyRequests,
			Confidence: Medium,
			Sentence:   "There are too many incoming requests.",
		},
		{
			Number:     90033,
			Code:       "temporarily_unavailable",
			Status:     http.StatusServiceUnavailable,
			Confidence: Medium,
			Sentence:   "A transient error has occurred. Please try again.",
		},
	}
}
