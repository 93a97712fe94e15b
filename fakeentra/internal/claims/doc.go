// Package claims writes the claims of Entra ID's tokens in both versions: access tokens for people
// and for apps, tokens for Microsoft Graph, and ID tokens.
package claims
