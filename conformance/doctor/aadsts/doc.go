// Package aadsts explains the errors of Entra ID (AADSTS codes), offline: what an error means, why
// MCP clients get it, and what to change where.
//
// Explain takes a code. Find takes what people paste: the JSON answer of a token endpoint, the
// address of a callback, the source of an error page, or lines of a log. Its fixes hold the values
// in the text, such as the redirect URI. It repeats no secrets.
//
// The folder entries has the explanations, by topic. To add one, write it there. Text in double
// square brackets appears only if the values in it are known.
package aadsts
