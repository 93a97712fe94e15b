// Package doctor walks through the deployment of an MCP server behind OAuth, step by step as a
// client would. It names the faults that it finds, the clients that fail on them, and the change
// that mends each.
//
// Walk follows the order of a sign-in. Each step is in a file of its own: it collects what it sees,
// and a table in the same file says which findings follow.
//
//	reach              DNS, TCP and TLS
//	challenge          the MCP endpoint without a token
//	neighbours         other paths of the same server
//	proxy              what a reverse proxy does to requests and answers
//	stream             event streams
//	resource-metadata  RFC 9728
//	server-metadata    RFC 8414 and OpenID Connect Discovery
//	registration       RFC 7591
//	authorization      the authorization request, up to the sign-in page
//	entra              what Entra ID says to the request before anyone signs in
//	session            messages and an event stream with a token, if the caller has one
//
// Walk sends no credentials and stops at the sign-in page. It deletes the client that it
// registered, where the server offers RFC 7592. Answers, waits, redirects and requests are bounded,
// and texts of the deployment are cleaned before a report shows them.
package doctor
