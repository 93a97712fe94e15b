package entra

// Advice tells the operator what to do about an AADSTS error number, or returns "" if we do not
// know. If a setting is wrong, the text names its key in .env.
//
// Source: "Microsoft Entra authentication and authorization error codes".
func Advice(aadsts int) string { return advice[aadsts] }

const (
	registration = "Entra admin center, App registrations, your app"

	adviseConditionalAccess = "a Conditional Access policy of the tenant blocks this sign-in: the user has to meet " +
		"it (another factor, device or place), or an administrator has to exclude this app from it; the sign-in log " +
		"names the policy"
	adviseSecondFactor = "the user has to pass a second factor: let them sign in again"
	adviseSignInAgain  = "the sign-in is over (expired, revoked, or the password was changed): let the user sign in " +
		"again"
	adviseTooOld = "a policy of the tenant asks for a sign-in more often (Conditional Access, sign-in frequency): " +
		"let the user sign in again"
	adviseConsent = "the permissions are not consented to: sign in again and accept, or let an administrator " +
		"grant consent (" + registration + ", API permissions, Grant admin consent); delegated User.Read is enough"
	adviseSecretExpired = "AUTH_CLIENT_SECRET has expired: make a new client secret (" + registration +
		", Certificates & secrets) and write its Value there"
	adviseTenant = "AUTH_TENANT_ID names no tenant of this cloud: write the Directory (tenant) ID from the app " +
		"registration's overview page, and check AUTH_AUTHORITY if the tenant is in a sovereign cloud"
	adviseFederation = "compare issuer, subject and audience with the token of AUTH_FEDERATED_TOKEN_FILE or the " +
		"identity of AUTH_MANAGED_IDENTITY (" + registration + ", Certificates & secrets, Federated credentials)"
	adviseCode = "the authorization code was used twice, is too old, or belongs to another sign-in: let the user " +
		"sign in again"
	adviseSinglePage = "the redirect URI is registered as Single-page application: register it under the platform " +
		"Web (" + registration + ", Authentication)"
	adviseRedirect = "the app has no redirect URI: add AUTH_REDIRECT_URI under " + registration +
		", Authentication, Add a platform, Web"
)

var advice = map[int]string{
	// The tenant.
	90002:  adviseTenant,
	900023: adviseTenant,
	90038:  "the tenant is in another cloud: set AUTH_AUTHORITY to that cloud's host",
	50049:  "AUTH_AUTHORITY names no instance of Entra: leave it out for the public cloud",
	50059:  "AUTH_TENANT_ID does not name a tenant: write the Directory (tenant) ID",
	50194: "the app is registered for one tenant: set AUTH_TENANT_ID to its Directory (tenant) ID, not to " +
		"\"common\"",
	50020: "the user belongs to another tenant: invite them as a guest, or let them sign in with an account of " +
		"this tenant",
	90072: "the user is not a member or guest of this tenant: invite them, or let them sign in with another " +
		"account",
	9002331: "the app is registered for personal accounts only: register one for accounts of this organization",
	9002332: "the app is registered for work accounts only: set AUTH_TENANT_ID to a Directory (tenant) ID, not to " +
		"\"consumers\"",
	500200: "a personal account cannot use this app: let the user sign in with an account of this tenant, or invite " +
		"them as a guest",

	// The application and its credentials.
	700016: "AUTH_CLIENT_ID is not an application of the tenant in AUTH_TENANT_ID: compare both with the app " +
		"registration's overview page",
	700038: "AUTH_CLIENT_ID is not an application ID: write the Application (client) ID from the app " +
		"registration's overview page",
	7000112: "the application is disabled in the tenant: Entra admin center, Enterprise applications, your app, " +
		"Properties, Enabled for users to sign-in",
	70001: "the application is disabled in the tenant, or missing from it: check AUTH_CLIENT_ID and " +
		"AUTH_TENANT_ID",
	7000215: "AUTH_CLIENT_SECRET is wrong: write the secret's Value, not its Secret ID (" + registration +
		", Certificates & secrets); a new secret needs some seconds to work",
	7000216: "this app needs a credential: write AUTH_CLIENT_SECRET, or set another credential",
	7000218: "this app needs a credential: write AUTH_CLIENT_SECRET, and register the redirect URI under the " +
		"platform Web",
	700027: "the certificate in AUTH_CERTIFICATE_FILE is not one of the app, or has expired: upload it (" +
		registration + ", Certificates & secrets, Certificates)",
	700024: "the clock of this machine is wrong, or the token in AUTH_FEDERATED_TOKEN_FILE has expired: check " +
		"the clock and the platform that writes the file",
	700023:  "the audience of the client assertion is wrong: check AUTH_AUTHORITY and AUTH_TENANT_ID",
	50027:   "the client assertion cannot be read: AUTH_FEDERATED_TOKEN_FILE has to hold one signed JWT",
	5002730: "the algorithm of the client assertion does not fit its key: AUTH_CERTIFICATE_FILE has to hold an RSA key",
	70021:   adviseFederation,
	70025: "the app has no federated credential: add one (" + registration +
		", Certificates & secrets, Federated credentials), or set another credential",
	700211: "no federated credential of the app names the token's issuer: " + adviseFederation,
	700212: "no federated credential of the app names the token's audience: " + adviseFederation,
	700213: "no federated credential of the app names the token's subject: " + adviseFederation,
	7002138: "a federated credential of the app names the token's subject in other upper and lower case: " +
		adviseFederation,
	7002137: "no federated credential of the app names the managed identity: " + adviseFederation,
	700222: "Entra accepts its own tokens only from managed identities: set AUTH_MANAGED_IDENTITY, or set another " +
		"credential",
	7000222: adviseSecretExpired,
	700025: "the redirect URI is registered for a public client: register it under the platform Web (" +
		registration + ", Authentication)",
	9002326: adviseSinglePage,
	9002327: adviseSinglePage,

	// The redirect URI.
	50011: "AUTH_REDIRECT_URI is not registered: add exactly this address under " + registration +
		", Authentication, Add a platform, Web",
	500113: adviseRedirect,
	900971: adviseRedirect,
	90102:  "AUTH_REDIRECT_URI is not an absolute URL",
	500112: "AUTH_REDIRECT_URI changed between sign-in and redemption: keep it the same on all replicas and " +
		"across restarts",

	// Permissions.
	65001: adviseConsent,
	65004: "the user declined to consent: let them sign in again and accept, or let an administrator grant " +
		"consent",
	90094: "an administrator of the tenant has to grant consent (" + registration +
		", API permissions, Grant admin consent)",
	90008: "the app needs the delegated permission User.Read of Microsoft Graph (" + registration +
		", API permissions)",
	650052: "the tenant lacks the service whose permissions the app asks for: check " + registration +
		", API permissions",
	650053: "a scope does not exist on Microsoft Graph: check the scopes that the server asks for",
	650056: "the app has no permissions: add delegated User.Read of Microsoft Graph (" + registration +
		", API permissions)",
	650057: "the app may not ask for this resource: add delegated User.Read of Microsoft Graph (" + registration +
		", API permissions)",
	65005: "the app asks for a permission that its registration does not list (" + registration +
		", API permissions)",
	50105: "the user is not assigned to the app: Entra admin center, Enterprise applications, your app, Users and " +
		"groups, or switch off Assignment required",
	500011: "the tenant does not know the resource of the scopes: check AUTH_AUTHORITY and AUTH_TENANT_ID",
	70011:  "a scope is not valid: check the scopes that the server asks for",
	28000:  "the scopes belong to two APIs, and a token is for one: check the scopes that the server asks for",

	// The exchange of a caller's token (on behalf of).
	7000114: "the caller is an application, and an exchange needs a person: let the application call Graph itself",
	240002:  "the caller sent an ID token: let the client ask for a scope of the API, and send the access token",
	500131: "the caller's token is for another application: write the Application (client) ID of the API into " +
		"AUTH_CLIENT_ID",
	501461: "the app has mapped claims, and its App ID URI has no verified domain of the tenant: change the URI (" +
		registration + ", Expose an API), or give the app a signing key of its own",

	// The user and the tenant's policies.
	50053: "the account is locked after too many attempts: wait, or let an administrator unlock it",
	50055: "the user's password has expired: let them change it and sign in again",
	50057: "the account is disabled",
	50034: "the account does not exist in this tenant",
	50058: "no user was signed in: let the user sign in",
	16000: "several accounts are signed in: let the user choose one",
	50072: adviseSecondFactor,
	50074: adviseSecondFactor,
	50076: adviseSecondFactor,
	50079: "the user has to set up a second factor: let them sign in again",
	50097: adviseConditionalAccess,
	50131: adviseConditionalAccess,
	53000: adviseConditionalAccess,
	53001: adviseConditionalAccess,
	53002: adviseConditionalAccess,
	53003: adviseConditionalAccess,
	53004: adviseConditionalAccess,
	50158: "another service of the tenant has to confirm the sign-in: let the user sign in again",
	70043: adviseTooOld,
	70044: adviseTooOld,

	// The grant.
	50173:   adviseSignInAgain,
	70000:   adviseSignInAgain,
	700082:  adviseSignInAgain,
	700084:  adviseSignInAgain,
	700081:  adviseSignInAgain,
	9002313: "the code or the refresh token is malformed: let the user sign in again",
	54005:   adviseCode,
	70008:   adviseCode,
	501481:  adviseCode,
	50148:   adviseCode,
	50196:   "Entra sees the same request in a loop: wait a few minutes, then let the user sign in again",
}
