// Package entra holds everything that is specific to Microsoft Entra ID: its clouds and hosts, the
// discovery document, the token requests, the checks of its tokens, advice on its error numbers,
// and the Microsoft Graph call that returns who signed in.
//
// A [Client] speaks for one web app registration of one tenant. [New] only reads the configuration;
// [Client.Check] asks Entra whether it is right. A sign-in is [Client.AuthorizationURL], the user's
// visit, and [Client.Redeem]; afterwards [Client.Refresh] renews the Graph token and [Client.Me]
// uses it. The caller makes state, nonce and the PKCE pair, and has to bind them to the browser
// that started the flow.
//
// An [API] verifies the access tokens that Entra issues for a registration.
//
// Entra fails in two ways, and callers decide by type: [*Error] is a refusal (it names the AADSTS
// number and what to do about it), [*UnavailableError] means that Entra gave no usable answer and
// the same request may be sent again later.
package entra
