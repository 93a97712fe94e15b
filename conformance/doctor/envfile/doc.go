// Package envfile checks a settings file of mcp-entra-server, and the tenant that it points to.
// Each finding names the line to change, and the portal page that has the right value.
//
// Examine reads the file as the server does, and refuses what the server refuses. Then it asks
// Entra ID: for the tenant, for a sign-in page, and for a token with the credential, which it
// drops. In direct mode it also asks for a token of the API. No person signs in, and nothing is
// written. Values of secrets never appear in a report.
//
//	read.go        lines of the file
//	names.go       names of the settings, and names that resemble them
//	rules.go       which value each setting has, and which settings go together
//	forms.go       the forms of values
//	files.go       the files that settings name
//	store.go       the store, without a sign-in to it
//	tenant.go      the tenant and its cloud
//	credential.go  the parameters that prove the registration
//	entra.go       the sign-in page, and the token requests
//	api.go         a token of the API, and Microsoft Graph
package envfile
