// Package fetch gets JSON documents from URLs that strangers control: client ID metadata documents
// and the keys of clients.
//
// A URL must be https, and its host must be allowed. The address policy is applied to the address
// that is dialled, so a name that resolves to another address later gains nothing. No redirect is
// followed, no proxy is used, and only status 200 with a JSON content type counts
// (draft-ietf-oauth-client-id-metadata-document-02, which is stricter here than draft -00).
//
// A fetch is bounded in time and size. So is the number of fetches: at once in all, at once for one
// site or network, and in a minute for one network. Documents are cached by the rules of HTTP (RFC
// 9111). Errors and invalid documents are never cached. After a failure of the network, the same
// URL is left alone for a few seconds.
//
// hosts.go has the hosts that an operator allows, address.go and blocks.go the address policy,
// freshness.go the caching rules, cache.go the cache and limits.go the bounds.
package fetch
