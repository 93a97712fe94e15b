package broken

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/servers/internal/bench"
)

// Faults of how the issuer's keys are followed.
const (
	FindsNoNewKeys      Fault = "finds no keys that are new"
	KeepsKeysForEver    Fault = "keeps keys for ever"
	NeedsEveryKey       Fault = "gives up a key set with one key that it cannot use"
	IgnoresKeyUse       Fault = "ignores what a key is for"
	AsksForEveryToken   Fault = "asks the issuer for every unknown key"
	LosesTheHerd        Fault = "refuses those who come while keys are fetched"
	ForgetsKeysInOutage Fault = "forgets its keys when there are no others"
	FollowsKeyRedirects Fault = "follows redirects to keys"
	AsksOnceForAll      Fault = "asks for unknown keys once, and never again"
	IgnoresKeyIssuer    Fault = "ignores whose a key is"
	KeepsOneKeyPerID    Fault = "keeps one key per ID, whoever has it"
	BreaksOnClocks      Fault = "breaks when the clock is set back"
	RefusesWithoutKeys  Fault = "calls tokens bad while it has no keys"
)

// Faults of what is made of the issuer's discovery document.
const (
	BelievesAnyDocument     Fault = "takes keys from a document of another issuer"
	FetchesKeysInTheClear   Fault = "fetches keys from any address"
	FetchesKeysInside       Fault = "fetches keys from inside a network"
	ForgetsDocuments        Fault = "forgets its document when there is no other"
	ReadsDocumentsToTheEnd  Fault = "reads documents of any length"
	FollowsDocumentRedirect Fault = "follows redirects to a document"
	WaitsForItsIssuer       Fault = "waits for its issuer for ever"
)

// How much a server reads of a key set, in bytes, when it asks again, when it gives up, and how
// often it asks for an unknown key.
const (
	maxKeySet  = 1 << 20
	keysAge    = time.Hour
	keysEnd    = 24 * time.Hour
	keysForced = time.Minute
	// documentAge is when the discovery document is asked for again, and issuerLimit how long the
	// issuer may take.
	documentAge = 24 * time.Hour
	issuerLimit = 3 * time.Second
)

// keyCache is what a server has of its issuer's keys.
type keyCache struct {
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time
	forced  time.Time
	running atomic.Bool // a fetch that is not the first

	address string // of the keys, as the document has it
	read    time.Time
}

// issuer is what a fixture changes about a server's issuer.
type issuer struct {
	mu        sync.Mutex
	handler   http.Handler // nil answers with the published keys
	document  http.Handler // nil answers with the issuer's own
	elsewhere http.Handler // answers for everybody else; nil lets nobody answer
	fetches   int
	later     time.Duration
}

// now is the time for the server and its issuer.
func (t *Server) now() time.Time {
	t.issuer.mu.Lock()
	defer t.issuer.mu.Unlock()
	return time.Now().Add(t.issuer.later)
}

// serveKeys is the issuer's.
func (t *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	t.issuer.mu.Lock()
	t.issuer.fetches++
	handler := t.issuer.handler
	t.issuer.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	write(w, http.StatusOK, t.published())
}

// fixture starts another server with the same faults.
func (t *Server) fixture(context.Context) (*bench.Fixture, error) {
	other := Start(t.faults...)
	return &bench.Fixture{
		Target: other.Target(),
		Close:  other.Close,
		KeySet: func() []byte {
			text, _ := json.Marshal(other.published())
			return text
		},
		ServeKeySet: func(handler http.Handler) {
			other.issuer.mu.Lock()
			defer other.issuer.mu.Unlock()
			other.issuer.handler = handler
		},
		KeySetFetches: func() int {
			other.issuer.mu.Lock()
			defer other.issuer.mu.Unlock()
			return other.issuer.fetches
		},
		Discovery: func() []byte {
			text, _ := json.Marshal(other.discoveryDocument())
			return text
		},
		ServeDiscovery: func(handler http.Handler) {
			other.issuer.mu.Lock()
			defer other.issuer.mu.Unlock()
			other.issuer.document = handler
		},
		ServeOthers: func(handler http.Handler) {
			other.issuer.mu.Lock()
			defer other.issuer.mu.Unlock()
			other.issuer.elsewhere = handler
		},
		Advance: func(by time.Duration) {
			other.issuer.mu.Lock()
			defer other.issuer.mu.Unlock()
			other.issuer.later += by
		},
	}, nil
}

// hasKeys sees to it that there are keys that are not too old, and reports whether there are any.
func (t *Server) hasKeys() bool {
	if t.cache.running.Load() && t.has(LosesTheHerd) {
		return true
	}
	t.cache.mu.Lock()
	defer t.cache.mu.Unlock()
	if t.cache.fetched.IsZero() || t.now().Sub(t.cache.fetched) > keysAge {
		t.fetchKeys()
	}
	if t.now().Sub(t.cache.fetched) > keysEnd && !t.has(KeepsKeysForEver) {
		t.cache.keys = nil
	}
	if t.has(BreaksOnClocks) && t.now().Before(t.cache.fetched) {
		return false
	}
	return len(t.cache.keys) > 0 || t.has(RefusesWithoutKeys)
}

// keysFor are the issuer's keys with an ID. For one that it does not have the server asks the
// issuer once in a while.
func (t *Server) keysFor(id string) []jose.JSONWebKey {
	if t.cache.running.Load() && t.has(LosesTheHerd) {
		return nil
	}
	t.cache.mu.Lock()
	defer t.cache.mu.Unlock()
	if found := (&jose.JSONWebKeySet{Keys: t.cache.keys}).Key(id); len(found) > 0 || t.has(FindsNoNewKeys) {
		return found
	}
	if now := t.now(); t.cache.forced.IsZero() || now.Sub(t.cache.forced) > keysForced && !t.has(AsksOnceForAll) ||
		t.has(AsksForEveryToken) {
		t.cache.forced = now
		t.fetchKeys()
	}
	return (&jose.JSONWebKeySet{Keys: t.cache.keys}).Key(id)
}

// fetchKeys asks the issuer. The lock is held.
func (t *Server) fetchKeys() {
	now := t.now()
	t.cache.running.Store(!t.cache.fetched.IsZero())
	defer t.cache.running.Store(false)
	keys, err := t.readKeys()
	switch {
	case err != nil && t.has(ForgetsKeysInOutage):
		t.cache.keys = nil
		return
	case err != nil:
		return
	case t.has(KeepsKeysForEver):
		keys = append(keys, t.cache.keys...)
	}
	t.cache.keys = keys
	t.cache.fetched = now
}

func (t *Server) readKeys() ([]jose.JSONWebKey, error) {
	if err := t.readDocument(); err != nil {
		return nil, err
	}
	text, err := t.askIssuer(t.cache.address, maxKeySet, t.has(FollowsKeyRedirects))
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	known := map[string]bool{}
	for _, member := range set.Keys {
		var key jose.JSONWebKey
		var uses struct {
			Operations []string `json:"key_ops"`
			Issuer     string   `json:"issuer"`
		}
		err := json.Unmarshal(member, &key)
		if err == nil {
			err = json.Unmarshal(member, &uses)
		}
		_, isRSA := key.Key.(*rsa.PublicKey)
		useful := (key.Use == "" || key.Use == "sig") && uses.Operations == nil &&
			(key.Algorithm == "" || key.Algorithm == "ES256") && !isRSA
		ours := uses.Issuer == "" || uses.Issuer == t.origin || t.has(IgnoresKeyIssuer)
		if known[key.KeyID] && t.has(KeepsOneKeyPerID) {
			continue
		}
		known[key.KeyID] = true
		switch {
		case err != nil && t.has(NeedsEveryKey):
			return nil, err
		case err == nil && ours && (useful || t.has(IgnoresKeyUse)):
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("an empty key set")
	}
	return keys, nil
}
