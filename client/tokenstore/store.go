package tokenstore

import (
	"context"
	"maps"

	"mcpentra/client/tokenrequest"
)

// A Place is what a record belongs to: an MCP server, by its URL, and one of the accounts that
// somebody has there. The account is a name of the user's choosing, empty for the only one.
type Place struct {
	Resource string `json:"resource"`
	Account  string `json:"account,omitempty"`
}

// A Record is what is kept at a place: an entry for each authorization server, so that nothing of
// one is ever shown to another.
type Record struct {
	// Current is the issuer that was used last.
	Current string `json:"current"`
	// Entries are by issuer.
	Entries map[string]Entry `json:"entries"`
}

// An Entry is what one authorization server has given for a place.
type Entry struct {
	Client tokenrequest.Client `json:"client"`
	// Given says that the client was registered beforehand. Its secret is not kept: whoever has it
	// gives it each time.
	Given bool               `json:"given,omitempty"`
	Token tokenrequest.Token `json:"token"`
	// DPoPKey is the key that the token is bound to, in PKCS #8. Empty for a bearer token.
	DPoPKey []byte `json:"dpop_key,omitempty"`
	// TokenEndpoint and RevocationEndpoint are the issuer's, as its metadata said when the token
	// was issued.
	TokenEndpoint      string   `json:"token_endpoint"`
	RevocationEndpoint string   `json:"revocation_endpoint,omitempty"`
	SigningAlgs        []string `json:"signing_algs,omitempty"` // that it takes in a client's assertions
	// RedirectURI is the one that the client was registered with.
	RedirectURI string `json:"redirect_uri,omitempty"`
	// Resource is the indicator that the token was asked for with, empty where there was none, and
	// Asked the scopes.
	Resource string   `json:"resource,omitempty"`
	Asked    []string `json:"asked,omitempty"`
	// Tenant is the one that the token is of, where the issuer is for all tenants of Entra ID.
	Tenant string `json:"tenant,omitempty"`
}

// A Store keeps records. It is safe for concurrent use, and what it is asked to keep is kept when
// it returns.
type Store interface {
	// Load returns the record of a place, empty when there is none.
	Load(ctx context.Context, place Place) (Record, error)
	// Save replaces the record of a place. Whoever changes one holds its lock from before the Load
	// to after the Save.
	Save(ctx context.Context, place Place, record Record) error
	// Places lists the places that have a record, in no order.
	Places(ctx context.Context) ([]Place, error)
	// Lock waits until nobody else holds a place, in any process that uses the same store.
	Lock(ctx context.Context, place Place) (unlock func(), err error)
}

// InUse returns the entry of the issuer that was used last.
func (r *Record) InUse() (issuer string, entry Entry, found bool) {
	entry, found = r.Entries[r.Current]
	return r.Current, entry, found
}

// Put keeps the entry of an issuer, and makes it the one in use.
func (r *Record) Put(issuer string, entry Entry) {
	if r.Entries == nil {
		r.Entries = map[string]Entry{}
	}
	if entry.Given {
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

// clone copies a record so far that changes to it stay with whoever makes them.
func (r *Record) clone() Record { return Record{Current: r.Current, Entries: maps.Clone(r.Entries)} }
