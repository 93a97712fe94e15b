package broker

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"

	"mcpentra/server/broker/fetch"
	"mcpentra/server/token"
)

const (
	// maxKeySet bounds the JWKS of a client, in bytes.
	maxKeySet = 16 << 10
	// keySetPause is the least time between two fetches of a JWKS because of unknown keys.
	keySetPause = time.Minute
	// maxKeySets bounds the JWKS whose last fetch is remembered.
	maxKeySets = 10_000
)

// keys returns the JWKS, if the client authenticates with it.
func (m *clientMetadata) keys() stdjson.RawMessage {
	if m.AuthMethod != authKey {
		return nil
	}
	return stdjson.RawMessage(m.JWKS)
}

// checkKeys checks the members that belong to private_key_jwt, and removes them from the metadata
// of a client that uses another method.
func (m *clientMetadata) checkKeys() error {
	if m.AuthMethod != authKey {
		m.JWKS = nil
		m.JWKSURI = ""
		m.SigningAlg = ""
		return nil
	}
	switch {
	case m.SigningAlg != "" && !isAssertionAlgorithm(m.SigningAlg):
		return errors.New("token_endpoint_auth_signing_alg has to be one of " + strings.Join(assertionAlgorithms, ", "))
	case (m.JWKS == nil) == (m.JWKSURI == ""):
		return errors.New("private_key_jwt needs either jwks or jwks_uri")
	case m.JWKSURI != "":
		if len(m.JWKSURI) > maxRedirectURI || !strings.HasPrefix(m.JWKSURI, "https://") {
			return errors.New("jwks_uri has to be an https URL")
		}
		return nil
	case len(m.JWKS) > maxKeySet:
		return fmt.Errorf("jwks has more than %d bytes", maxKeySet)
	}
	_, err := token.ParseClientKeys(m.JWKS)
	return err
}

// judgeKeys is checkKeys for a client that is not the operator's.
func (b *Broker) judgeKeys(asked *clientMetadata) *protocolError {
	err := asked.checkKeys()
	if err == nil && asked.JWKSURI != "" && b.config.Clients.Documents.Off {
		err = errors.New("this server fetches nothing for clients: use jwks in place of jwks_uri")
	}
	if err != nil {
		return badRequest("invalid_client_metadata", err.Error()).saw("name", cleanName(asked.Name))
	}
	return nil
}

// clientKeys fetches the JWKS of clients.
type clientKeys struct {
	// ofStrangers keeps to the hosts of client documents. The operator has written the URLs of
	// ofOperator, but the address policy holds there too.
	ofStrangers, ofOperator *fetch.Fetcher[[]jose.JSONWebKey]
	again                   *lru.Cache[string, time.Time] // last fetch because of an unknown key
}

// openClientKeys makes the fetchers of JWKS.
func (b *Broker) openClientKeys() error {
	policy := b.config.Clients.Documents
	hosts, err := fetch.ParseHosts(policy.Hosts)
	if err != nil {
		return fmt.Errorf("broker: client documents: %w", err)
	}
	again, err := lru.New[string, time.Time](maxKeySets)
	if err != nil {
		return err
	}
	fetcher := func(anyHost bool) *fetch.Fetcher[[]jose.JSONWebKey] {
		hosts.Any = anyHost
		return fetch.New(fetch.Config[[]jose.JSONWebKey]{
			Hosts:     hosts,
			Parse:     func(_ string, text []byte) ([]jose.JSONWebKey, error) { return token.ParseClientKeys(text) },
			MaxBytes:  maxKeySet,
			PerMinute: b.config.RegistrationsPerMinute,
			AtOnce:    b.config.Limits.FetchesAtOnce,
			RootCAs:   policy.RootCAs,
			Lookup:    policy.Lookup,
			Dial:      policy.Dial,
			Now:       b.config.Now,
		})
	}
	b.jwks = &clientKeys{
		ofStrangers: fetcher(policy.Hosts == nil && !policy.Off),
		ofOperator:  fetcher(true),
		again:       again,
	}
	return nil
}

// A keyFinder finds the keys of one client for one request.
type keyFinder struct {
	broker  *Broker
	client  *client
	network string
	failed  error // the keys cannot be used, and another attempt does not help
}

// find is a token.KeySource.
func (f *keyFinder) find(ctx context.Context, kid string, _ time.Time) ([]jose.JSONWebKey, error) {
	keys, err := f.keys(ctx)
	if err != nil {
		return nil, err
	}
	found := keysOf(keys, kid)
	if len(found) == 0 && f.mayAskAgain() {
		f.fetcher().Expire(f.client.JWKSURI)
		keys, err = f.keys(ctx)
		if err != nil {
			return nil, err
		}
		found = keysOf(keys, kid)
	}
	if len(found) == 0 {
		return nil, token.ErrUnknownKey
	}
	return found, nil
}

func (f *keyFinder) fetcher() *fetch.Fetcher[[]jose.JSONWebKey] {
	if f.client.origin == fromFile {
		return f.broker.jwks.ofOperator
	}
	return f.broker.jwks.ofStrangers
}

// keys returns all keys of the client.
func (f *keyFinder) keys(ctx context.Context) ([]jose.JSONWebKey, error) {
	if f.client.JWKSURI == "" {
		keys, err := token.ParseClientKeys(f.client.JWKS)
		if err != nil {
			f.failed = err
			return nil, token.ErrUnknownKey
		}
		return keys, nil
	}
	keys, err := f.fetcher().Get(ctx, f.client.JWKSURI, f.network)
	var problem *fetch.Error
	if errors.As(err, &problem) && !problem.MayPass() {
		f.failed = problem
		return nil, token.ErrUnknownKey
	}
	return keys, err
}

// mayAskAgain reports whether an unknown key is a reason to fetch the keys anew. The time of the
// last fetch for that reason bounds it, whatever the answer was.
func (f *keyFinder) mayAskAgain() bool {
	address := f.client.JWKSURI
	if address == "" {
		return false
	}
	now := f.broker.now()
	last, found := f.broker.jwks.again.Get(address)
	if found && now.Sub(last) < keySetPause {
		return false
	}
	f.broker.jwks.again.Add(address, now)
	return true
}

// keysOf returns the keys with an ID. A key without an ID fits every assertion, and an assertion
// without an ID may be signed with every key.
func keysOf(keys []jose.JSONWebKey, kid string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range keys {
		if kid == "" || key.KeyID == "" || key.KeyID == kid {
			found = append(found, key)
		}
	}
	return found
}
