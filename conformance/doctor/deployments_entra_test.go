package doctor_test

import (
	"net/url"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// IDs that the fake does not have, and identifier URIs.
const (
	unknownID = "5a1e00ff-0000-4000-8000-00000000ffff"
	zeroID    = "00000000-0000-0000-0000-000000000000"
	apiURI    = "api://" + directory.DefaultAPIID
)

// brokerDeployments are faults of the app registration with which a server in broker mode signs
// people in.
func brokerDeployments() []deployment {
	const web = 0
	addRedirect := portal("Authentication", func(w *world, text string) {
		w.register(onApp(web, func(app *directory.App) { app.Web = append(app.Web, urlIn(w, text)) }))
	})
	return []deployment{
		{
			name:   "broker-redirect-uri-not-registered",
			breaks: editApp(web, func(app *directory.App) { app.Web = []string{"http://localhost/callback"} }),
			want:   []string{"aadsts-50011"},
			mend:   addRedirect,
		},
		{
			name:   "broker-no-redirect-uri",
			breaks: editApp(web, func(app *directory.App) { app.Web = nil }),
			want:   []string{"aadsts-50011"},
			mend:   addRedirect,
		},
		{
			name:   "broker-client-unknown",
			breaks: setting("AUTH_CLIENT_ID", unknownID),
			want:   []string{"aadsts-700016"},
			mend:   serverSetting("AUTH_CLIENT_ID", directory.DefaultClientID),
		},
		{
			name:   "broker-client-all-zero",
			breaks: setting("AUTH_CLIENT_ID", zeroID),
			want:   []string{"aadsts-700038"},
			mend:   serverSetting("AUTH_CLIENT_ID", directory.DefaultClientID),
		},
		{
			name:   "broker-app-disabled",
			breaks: editApp(web, func(app *directory.App) { app.Disabled = true }),
			want:   []string{"aadsts-7000112"},
			mend: portal("Properties", func(w *world, _ string) {
				w.register(onApp(web, func(app *directory.App) { app.Disabled = false }))
			}),
		},
		{
			name:   "broker-tenant-unknown",
			breaks: setting("AUTH_TENANT_ID", unknownID),
			want:   []string{"aadsts-90002"},
			mend:   serverSetting("AUTH_TENANT_ID", directory.DefaultTenantID),
		},
		{
			name:   "broker-for-personal-accounts",
			breaks: editApp(web, forPersonalAccounts),
			want:   []string{"aadsts-9002331"},
			mend: portal("Supported account types", func(w *world, _ string) {
				w.register(onApp(web, func(app *directory.App) { app.PersonalAccounts = false }))
			}),
		},
	}
}

// forPersonalAccounts lets only personal Microsoft accounts use an app.
func forPersonalAccounts(app *directory.App) {
	app.PersonalAccounts = true
	app.TokenVersion = 2
}

// directDeployments are faults of a server in direct mode, whose clients ask Entra ID themselves.
func directDeployments() []deployment {
	const api = 1
	return []deployment{
		{
			name:   "direct-resource-not-identifier-uri",
			breaks: changeDirect(withoutIdentifierURL),
			want:   []string{"aadsts-9010010"},
			mend: portal("Application ID URI", func(w *world, text string) {
				w.register(onApp(api, func(app *directory.App) {
					app.IdentifierURIs = append(app.IdentifierURIs, urlIn(w, text))
				}))
			}),
		},
		{
			name:   "direct-resource-not-identifier-uri-broker",
			breaks: changeDirect(withoutIdentifierURL),
			want:   []string{"aadsts-9010010"},
			mend:   toBroker(),
		},
		{
			name:   "direct-resource-refused",
			fake:   fakeentra.Config{ResourceParameter: fakeentra.ResourceRefused},
			breaks: changeDirect(nil),
			want:   []string{"aadsts-901002"},
			mend:   toBroker(),
		},
		{
			name:   "direct-scope-not-exposed",
			breaks: changeDirect(setting("AUTH_SCOPES", "access_as_user")),
			want:   []string{"aadsts-650053"},
			mend: portal("Expose an API", func(w *world, _ string) {
				w.register(onApp(api, func(app *directory.App) {
					app.Scopes = append(app.Scopes, directory.Scope{Name: "access_as_user"})
				}))
			}),
		},
		{
			name:   "direct-audience-unknown",
			breaks: changeDirect(setting("AUTH_AUDIENCE", "api://"+unknownID)),
			want:   []string{"aadsts-500011"},
			mend:   serverSetting("AUTH_AUDIENCE", apiURI),
		},
		{
			name:   "direct-tenant-unknown",
			breaks: changeDirect(setting("AUTH_TENANT_ID", unknownID)),
			want:   []string{"entra-refuses-tenant"},
			mend:   settings(),
		},
		{
			name:   "direct-client-redirect-uri",
			breaks: changeDirect(editApp(api, func(app *directory.App) { app.PublicClient = nil })),
			want:   []string{"aadsts-50011"},
			mend: portal("Authentication", func(w *world, text string) {
				w.register(onApp(api, func(app *directory.App) {
					app.PublicClient = append(app.PublicClient, urlIn(w, text))
				}))
			}),
		},
		{
			name:   "direct-client-unknown",
			breaks: changeDirect(func(w *world) { w.clientID = unknownID }),
			want:   []string{"aadsts-700016"},
			mend:   clientSetting("client ID", func(w *world) { w.clientID = directory.DefaultAPIID }),
		},
		{
			name:   "direct-api-disabled",
			breaks: changeDirect(otherClient(onApp(api, func(app *directory.App) { app.Disabled = true }))),
			want:   []string{"aadsts-500014"},
			mend: portal("Properties", func(w *world, _ string) {
				w.register(onApp(api, func(app *directory.App) { app.Disabled = false }))
			}),
		},
		{
			name:   "direct-at-origin",
			breaks: changeDirect(atOrigin),
			want:   []string{"aadsts-9010010"},
			mend:   portal("Application ID URI", fromOrigin),
		},
	}
}

// foreignDeployments are habits of other people's servers that send clients to Entra ID.
func foreignDeployments() []deployment {
	mixed := []string{apiURI + "/.default", apiURI + "/tool.read"}
	several := []string{apiURI + "/tool.read", "https://graph.microsoft.com/User.Read"}
	return []deployment{
		{
			name:   "foreign-no-scope",
			breaks: foreignDirect(),
			want:   []string{"aadsts-900144"},
			mend:   code("", scopesOfAPI),
		},
		{
			name:   "foreign-bare-scope",
			breaks: foreignDirect("tool.read"),
			want:   []string{"scope-without-identifier", "aadsts-9010010"},
			mend:   code("scopes_supported", listedScope),
		},
		{
			name:   "foreign-scope-mixed",
			breaks: foreignDirect(mixed...),
			want:   []string{"aadsts-70011"},
			mend:   clientSetting("scope", func(w *world) { w.foreign.scopes = mixed[1:] }),
		},
		{
			name:   "foreign-scopes-of-two-resources",
			breaks: foreignDirect(several...),
			want:   []string{"scopes-of-two-resources", "aadsts-9010010"},
			mend:   code("scopes_supported", listedScope),
		},
		{
			name:   "foreign-common-issuer",
			breaks: foreignIssuer("common"),
			want:   []string{"issuer-mismatch"},
			mend:   code("authorization_servers", issuerOfTenant),
		},
		{
			name:   "foreign-consumers-issuer",
			breaks: foreignIssuer("consumers"),
			want:   []string{"issuer-mismatch", "aadsts-9002332"},
			mend:   code("authorization_servers", issuerOfTenant),
		},
		{
			name:   "foreign-malformed-tenant",
			breaks: foreignIssuer("contoso_onmicrosoft"),
			want:   []string{"entra-refuses-tenant"},
			mend:   serverSetting("", "").by(func(w *world, _ string) { issuerOfTenant(w, "") }),
		},
		{
			name:   "foreign-default-scope-not-listed",
			breaks: foreignNotListed,
			want:   []string{"aadsts-650057"},
			mend:   portal("API permissions", listPermission),
		},
	}
}

// foreignBrokerDeployments are habits of other people's brokers in front of Entra ID.
func foreignBrokerDeployments() []deployment {
	own := func(w *world, _ string) { w.foreign.upstream = nil }
	return []deployment{
		{
			name:      "foreign-broker-forces-consent",
			breaks:    foreignBroker("prompt", "consent"),
			isWarning: true,
			want:      []string{"upstream-forces-consent"},
			mend:      code("prompt", own),
		},
		{
			name:      "foreign-broker-no-refresh",
			breaks:    foreignBroker("scope", "openid profile User.Read"),
			isWarning: true,
			want:      []string{"upstream-without-refresh"},
			mend:      code("offline_access", own),
		},
		{
			name:   "foreign-broker-two-prompts",
			breaks: foreignBroker("prompt", "consent select_account"),
			want:   []string{"aadsts-90023"},
			mend:   clientSetting("prompt", func(w *world) { own(w, "") }),
		},
		{
			name:   "foreign-broker-pkce-mangled",
			breaks: foreignBroker("code_challenge", "short"),
			want:   []string{"aadsts-501491"},
			mend:   remedy{place: "proxy line", where: "proxy in front of Entra", apply: withText(own)},
		},
		{
			name:   "foreign-broker-no-scope",
			breaks: foreignBroker("scope", ""),
			want:   []string{"aadsts-900144"},
			mend:   clientSetting("scope", func(w *world) { own(w, "") }),
		},
		{
			name:   "foreign-broker-relative-redirect-uri",
			breaks: foreignBroker("redirect_uri", "/auth/callback"),
			want:   []string{"upstream-redirect-elsewhere", "aadsts-90102"},
			mend:   serverSetting("AUTH_REDIRECT_URI", "").by(own),
		},
		{
			name:   "foreign-broker-repeats-parameter",
			breaks: foreignUpstream(func(toEntra, _ url.Values) { toEntra.Add("scope", "openid") }),
			want:   []string{"aadsts-9002313"},
			mend:   clientSetting("", func(w *world) { own(w, "") }),
		},
		{
			name:   "foreign-broker-forwards-resource",
			breaks: foreignUpstream(forwarded("resource")),
			want:   []string{"upstream-forwards-resource", "aadsts-9010010"},
			mend:   code("resource", own),
		},
		{
			name:   "foreign-broker-forwards-redirect-uri",
			breaks: foreignUpstream(forwarded("redirect_uri")),
			want:   []string{"upstream-redirect-elsewhere", "aadsts-50011"},
			mend:   serverSetting("AUTH_REDIRECT_URI", "").by(own),
		},
	}
}

// forwarded passes a parameter of the client on to Entra ID.
func forwarded(name string) func(toEntra, fromClient url.Values) {
	return func(toEntra, fromClient url.Values) { toEntra.Set(name, fromClient.Get(name)) }
}
