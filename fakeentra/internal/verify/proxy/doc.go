// Package proxy is a forward proxy for one authority of Entra ID. It records each exchange, masked.
//
// A program reaches it through the environment variable HTTPS_PROXY, and trusts its CA. The proxy
// ends the TLS connection, sends the request on and records both. It passes on requests to the
// hosts of the authority and of Graph, and refuses any other.
package proxy
