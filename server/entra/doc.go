// Package entra holds all that is true of Microsoft Entra ID only: its clouds and hosts, the
// discovery document, the token requests, the checks on its ID tokens, what its error numbers mean
// for an operator, and the one Microsoft Graph call that answers who signed in.
//
// A [Client] speaks for one web app registration of one tenant. [New] only reads the configuration;
// [Client.Check] asks Entra whether it is right. A sign-in is [Client.AuthorizationURL], the user's
// visit, and [Client.Redeem]; afterwards [Client.Refresh] keeps the Graph token alive and
// [Client.Me] uses it. State, nonce and the PKCE pair are made by the caller, who has to keep them
// with the browser that started the flow.
//
// Answers of Entra come in two kinds, and callers decide by type: [*Error] is a refusal (it names
// the AADSTS number and what to do about it), [*UnavailableError] means that nothing is known yet
// and the same request may be sent again later.
package entra
