package tokenstore

import (
	"maps"

	"mcpentra/client/tokenrequest"
)

// A Record holds an entry for each authorization server, so that no server receives the
// credentials of another.
type Record struct {
	// Current is the issuer that was used last.
	Current string `json:"current"`
	// Entries are by issuer.
	Entries map[string]Entry `json:"entries"`
}

// An Entry holds the registration and the token from one authorization server.
type Entry struct {
	Client tokenrequest.Client `json:"client"`
	// Preregistered says that the user gave the client ID. The store does not keep the secret of
	// this client: the user gives it for each run.
	Preregistered bool               `json:"given,omitempty"`
	Token         tokenrequest.Token `json:"token"`
	// DPoPKey is the key that the token is bound to, in PKCS #8. Empty for a bearer token.
	DPoPKey []byte `json:"dpop_key,omitempty"`
	// TokenEndpoint is from the issuer's metadata when it issued the token.
	TokenEndpoint string `json:"token_endpoint"`
	// RevocationEndpoint is from the same metadata. Empty if the issuer has none.
	RevocationEndpoint string `json:"revocation_endpoint,omitempty"`
	// SigningAlgs are the algorithms that the issuer accepts in client assertions.
	SigningAlgs []string `json:"signing_algs,omitempty"`
	// RedirectURI is the redirect URI of the client's registration.
	RedirectURI string `json:"redirect_uri,omitempty"`
	// Resource is the resource indicator of the token request (RFC 8707). Empty if it had none.
	Resource string `json:"resource,omitempty"`
	// RequestedScopes are the scopes of the authorization request.
	RequestedScopes []string `json:"asked,omitempty"`
	// Tenant is the token's tenant if the issuer is Entra ID's for all tenants.
	Tenant string `json:"tenant,omitempty"`
}

// InUse returns the entry of the issuer that was used last.
func (r *Record) InUse() (issuer string, entry Entry, found bool) {
	entry, found = r.Entries[r.Current]
	return r.Current, entry, found
}

// Put stores the entry of an issuer and makes that issuer the current one.
func (r *Record) Put(issuer string, entry Entry) {
	if r.Entries == nil {
		r.Entries = map[string]Entry{}
	}
	if entry.Preregistered {
		entry.Client.Secret = ""
	}
	r.Entries[issuer] = entry
	r.Current = issuer
}

// Forget removes the token of an issuer. The registration stays.
func (r *Record) Forget(issuer string) {
	if entry, found := r.Entries[issuer]; found {
		entry.Token = tokenrequest.Token{}
		entry.DPoPKey = nil
		r.Entries[issuer] = entry
	}
}

// clone copies a record, so that Put and Forget on the copy leave the original as it is.
func (r *Record) clone() Record { return Record{Current: r.Current, Entries: maps.Clone(r.Entries)} }
