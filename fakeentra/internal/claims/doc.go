// Package claims writes the claims of Entra ID's tokens: of access tokens for people and for apps,
// of tokens for Microsoft Graph, and of ID tokens, in both versions.
package claims
