package broker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"mcpentra/server/store"
)

// Authentication methods of clients (RFC 7591 section 2).
const (
	authNone  = "none"
	authPost  = "client_secret_post"
	authBasic = "client_secret_basic"
	authKey   = "private_key_jwt" // OpenID Connect Core section 9
)

// Grant types beside codeGrant and deviceGrant (RFC 7591 section 2).
const (
	refreshGrant = "refresh_token"
	appGrant     = "client_credentials"
)

// fileGrantTypes are the grant types of pre-registered clients.
var fileGrantTypes = []string{codeGrant, refreshGrant, appGrant, deviceGrant}

// maxSecrets bounds the secrets that a client has at once.
const maxSecrets = 5

// A client is a program that asks for tokens. Its name is an unchecked claim, unless the operator
// wrote it.
type client struct {
	ID              string          `json:"id"`
	Name            string          `json:"name"`
	RedirectURIs    []string        `json:"redirect_uris"`
	AuthMethod      string          `json:"auth_method"`
	SecretHash      string          `json:"secret_hash,omitempty"`
	ApplicationType string          `json:"application_type"`
	GrantTypes      []string        `json:"grant_types,omitempty"` // read them with mayUse
	JWKS            json.RawMessage `json:"jwks,omitempty"`
	JWKSURI         string          `json:"jwks_uri,omitempty"`
	SigningAlg      string          `json:"signing_alg,omitempty"` // of assertions; empty means any
	Registered      time.Time       `json:"registered"`
	Used            bool            `json:"used"`

	// These are not stored. findClient sets them.
	origin       clientOrigin
	otherSecrets []string  // hashes, beside SecretHash
	ownScopes    []string  // for the client itself, without a person
	ownResources []string  // at which the client introspects, and calls without a person
	introspects  bool      // it may introspect the tokens of all clients
	expires      time.Time // of the record of a client that registered itself
}

// A clientOrigin says where the broker has the metadata of a client from.
type clientOrigin int

const (
	fromStore    clientOrigin = iota // the client registered itself
	fromDocument                     // the client's ID is the URL of its metadata
	fromFile                         // the operator registered the client
)

// mayUse reports whether a client may use a grant type. Older records have no grant types. Many
// clients leave refresh_token out of their metadata and refresh, so only the operator's list counts
// for that. Only the operator can let a client call for itself.
func (c *client) mayUse(grantType string) bool {
	switch {
	case c.GrantTypes == nil:
		return grantType == codeGrant || grantType == refreshGrant
	case grantType == refreshGrant && c.origin != fromFile:
		return true
	case grantType == appGrant && c.origin != fromFile:
		return false
	}
	return slices.Contains(c.GrantTypes, grantType)
}

// maxClientID bounds the IDs that the store is asked for, in bytes.
const maxClientID = 200

// findClient returns the client of an ID, or nil. The error may be a *documentError.
func (b *Broker) findClient(r *http.Request, id string) (*client, error) {
	if found := b.file.find(r.Context(), id); found != nil {
		return found, nil
	}
	if isDocumentID(id) {
		return b.documentClient(r, id)
	}
	if id == "" || len(id) > maxClientID {
		return nil, nil
	}
	return b.registeredClient(r.Context(), id)
}

// registeredClient returns the client that registered itself and got an ID, or nil.
func (b *Broker) registeredClient(ctx context.Context, id string) (*client, error) {
	var found client
	record, err := b.records.get(ctx, kindClient, id, &found)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	found.expires = record.Expires
	return &found, nil
}

// markUsed extends the life of a client with which a person has signed in. Clients that are not in
// the store need no longer life.
func (b *Broker) markUsed(ctx context.Context, used *client) error {
	if used.origin != fromStore || b.livesLong(used, used.expires) {
		return nil
	}
	return b.keepClient(ctx, used.ID)
}

// livesLong reports whether a client's life needs no extension.
func (b *Broker) livesLong(found *client, expires time.Time) bool {
	return found.Used && expires.Sub(b.now()) > usedClientLifetime/2
}

// keepClient extends the life of a client in the store. If another request or Maintain has changed
// the record meanwhile, it tries again. The store may have forgotten the client or never had it.
// The token endpoint refuses the code of a forgotten client.
func (b *Broker) keepClient(ctx context.Context, id string) error {
	for {
		made, err := b.longerLife(ctx, id)
		if err != nil || made == nil {
			return err
		}
		err = b.records.put(ctx, made.record, made.value)
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// longerLife returns the record of a client with a longer life. It returns nil if the life is long
// enough, or if the store does not have the client.
func (b *Broker) longerLife(ctx context.Context, id string) (*change, error) {
	var found client
	record, err := b.records.get(ctx, kindClient, id, &found)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || b.livesLong(&found, record.Expires) {
		return nil, err
	}
	// A record without a source is not a stranger's, so no number of registrations pushes it out.
	found.Used = true
	record.Source = ""
	record.Expires = b.now().Add(usedClientLifetime)
	return &change{record, found}, nil
}

// provesItself reports whether only the registered client can receive an answer. Any program on the
// person's computer can listen on loopback or claim a private-use scheme. Without authentication,
// people are therefore asked every time (OAuth 2.1 section 7.3.1, RFC 8252 section 8.6).
func (c *client) provesItself(redirect string) bool {
	return c.AuthMethod != authNone || !isLoopbackURI(redirect) && !isPrivateUse(redirect)
}
