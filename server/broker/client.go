package broker

import (
	"context"
	"errors"
	"time"

	"mcpentra/server/store"
)

// Authentication methods of clients (RFC 7591 section 2).
const (
	authNone  = "none"
	authPost  = "client_secret_post"
	authBasic = "client_secret_basic"
)

// A client is a registered client. Registration is open, so its name is an unchecked claim.
type client struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	RedirectURIs    []string  `json:"redirect_uris"`
	AuthMethod      string    `json:"auth_method"`
	SecretHash      string    `json:"secret_hash,omitempty"`
	ApplicationType string    `json:"application_type"`
	Registered      time.Time `json:"registered"`
	Used            bool      `json:"used"`
}

// maxClientID bounds the IDs that the store is asked for, in bytes.
const maxClientID = 200

// findClient returns the client of an ID, or nil.
func (b *Broker) findClient(ctx context.Context, id string) (*client, error) {
	if id == "" || len(id) > maxClientID {
		return nil, nil
	}
	var found client
	_, err := b.records.get(ctx, kindClient, id, &found)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &found, nil
}

// markUsed extends the life of a client with which a person has signed in. If another request
// changes the record at the same time, markUsed changes nothing.
func (b *Broker) markUsed(ctx context.Context, id string) error {
	var found client
	record, err := b.records.get(ctx, kindClient, id, &found)
	if err != nil {
		return err
	}
	if found.Used && record.Expires.Sub(b.now()) > usedClientLifetime/2 {
		return nil
	}
	// A record without a source is not a stranger's, so no number of registrations pushes it out.
	found.Used = true
	record.Source = ""
	record.Expires = b.now().Add(usedClientLifetime)
	err = b.records.put(ctx, record, found)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// keepClient is markUsed for a client that the store may have forgotten. The token endpoint refuses
// the code of a forgotten client.
func (b *Broker) keepClient(ctx context.Context, id string) error {
	err := b.markUsed(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// provesItself reports whether only the registered client can receive an answer. A program on
// loopback without a secret can be any program, so people are asked every time (OAuth 2.1 section
// 7.3.1).
func (c *client) provesItself(redirect string) bool {
	return c.AuthMethod != authNone || !isLoopbackURI(redirect)
}
