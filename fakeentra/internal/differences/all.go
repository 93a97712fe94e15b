package differences

import "mcpentra/fakeentra/internal/verify/document"

// all are the differences, at least one in status, header, member order, type, text, claim,
// lifetime, key, discovery and error page.
var all = []difference{
	{"token-unknown-client: status", isRefusedSecret, status(401)},
	{"page-zero-client: status", refused("/authorize", "700038"), status(400)},
	{
		"discovery-v2-common: header Cache-Control",
		at("/common/v2.0/.well-known/openid-configuration"),
		header("Cache-Control", "no-cache"),
	},
	{"app-token: header Pragma", granted("client_credentials", "api://"), header("Pragma", "")},
	{"discovery-v1-common: members", at("/common/.well-known/openid-configuration"), edit(firstLast)},
	{"token-unknown-tenant: members", isRefusedTenant, edit(firstLast)},
	{"token-wrong-secret: types", refused("/token", "7000215"), edit(codesAsTexts)},
	{"device-code: types", at("/oauth2/v2.0/devicecode"), edit(intervalAsText)},
	{
		"token-unsupported-grant: text",
		refused("/token", "70003"),
		replace("The app requested an unsupported grant type", "The grant type is not supported:"),
	},
	{"graph-no-token: text", at("/v1.0/me"), replace("Access token is empty.", "There is no access token.")},
	{
		"page-redirect: text",
		refused("/authorize", "50011"),
		replace("The redirect URI", "The reply URL"),
	},
	{
		"app-token: claims access_token",
		granted("client_credentials", "api://"),
		editClaims("access_token", func(claims *document.Value) { set(claims, "idtyp", document.NewString("app")) }),
	},
	{
		"device-token: claims id_token",
		granted("device_code", ""),
		editClaims("id_token", func(claims *document.Value) { remove(claims, "rh") }),
	},
	{
		"device-token: lifetime id_token",
		granted("device_code", ""),
		editClaims("id_token", func(claims *document.Value) { add(claims, "exp", 3600) }),
	},
	{
		"device-code: lifetime expires_in",
		at("/oauth2/v2.0/devicecode"),
		edit(func(body *document.Value) { add(body, "expires_in", -300) }),
	},
	{"keys-v2-common: members keys[]", at("/common/discovery/v2.0/keys"), edit(keysWithoutCertificates)},
	{"keys-v2-tenant: values", atTenant("/discovery/v2.0/keys"), edit(keysWithOtherThumbprints)},
	{
		"discovery-v2-tenant: members",
		isTenantDocument,
		edit(func(body *document.Value) {
			set(body, "registration_endpoint", document.NewString("https://x.example"))
		}),
	},
	{
		"discovery-v2-organizations: value issuer",
		at("/organizations/v2.0/.well-known/openid-configuration"),
		replace("/{tenantid}/v2.0", "/organizations/v2.0"),
	},
	{"page-unknown-client: page", refused("/authorize", "700016"), replace("ConvergedError", "ConvergedSignIn")},
}
