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

// Faults in following the issuer's keys.
const (
	IgnoresNewKeys         Fault = "ignores new keys"
	NeverExpiresKeys       Fault = "never expires keys"
	NeedsEveryKey          Fault = "refuses a key set with one unusable key"
	IgnoresKeyUse          Fault = "ignores the use of a key"
	FetchesForEveryToken   Fault = "fetches the keys for every unknown key"
	RefusesDuringFetch     Fault = "refuses requests while it fetches keys"
	ForgetsKeysInOutage    Fault = "forgets its keys when there are no others"
	FollowsKeyRedirects    Fault = "follows redirects to keys"
	FetchesUnknownKeysOnce Fault = "fetches the keys for an unknown key only once"
	IgnoresKeyIssuer       Fault = "ignores the issuer of a key"
	KeepsOneKeyPerID       Fault = "keeps one key per ID, whatever its issuer"
	BreaksOnClocks         Fault = "breaks when the clock is set back"
	AcceptsWithoutKeys     Fault = "accepts every token while it gets no keys"
	RefusesWithoutKeys     Fault = "calls tokens bad while it has no keys"
)

// Faults in reading the discovery document.
const (
	TrustsAnyDocument       Fault = "takes keys from a document of another issuer"
	FetchesKeysInTheClear   Fault = "fetches keys from any address"
	FetchesKeysInside       Fault = "fetches keys from inside a network"
	ForgetsDocuments        Fault = "forgets its document when there is no other"
	ReadsDocumentsToTheEnd  Fault = "reads documents of any length"
	FollowsDocumentRedirect Fault = "follows redirects to a document"
	WaitsForItsIssuer       Fault = "waits forever for its issuer"
)

// How a server follows its issuer's keys.
const (
	maxKeySet   = 1 << 20         // bytes
	keysAge     = time.Hour       // before the server fetches them again
	keysEnd     = 24 * time.Hour  // before the server stops using them
	keysForced  = time.Minute     // between two fetches for unknown keys
	documentAge = 24 * time.Hour  // before the server fetches the document again
	issuerLimit = 3 * time.Second // for an answer of the issuer
	// longDocument bounds the time for a long answer, less than the patience of the checks. A busy
	// machine sends megabytes slowly.
	longDocument = 9 * time.Second
)

// A keyCache holds the keys of a server's issuer.
type keyCache struct {
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time
	forced  time.Time
	failed  bool        // the last fetch
	running atomic.Bool // during every fetch except the first

	address string // of the keys, from the document
	read    time.Time
}

// An issuer has the changes that a fixture makes to a server's issuer.
type issuer struct {
	mu        sync.Mutex
	handler   http.Handler // nil serves the issuer's keys
	document  http.Handler // nil serves the issuer's own
	elsewhere http.Handler // answers for all other hosts; nil means that they are unreachable
	fetches   int
	later     time.Duration
}

// now returns the time for the server and its issuer.
func (s *Server) now() time.Time {
	s.issuer.mu.Lock()
	defer s.issuer.mu.Unlock()
	return time.Now().Add(s.issuer.later)
}

// serveKeys serves the issuer's key set.
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	s.issuer.mu.Lock()
	s.issuer.fetches++
	handler := s.issuer.handler
	s.issuer.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	write(w, http.StatusOK, s.keySet())
}

// fixture starts another server with the same faults.
func (s *Server) fixture(context.Context) (*bench.Fixture, error) {
	other := Start(s.faults...)
	return &bench.Fixture{
		Target: other.Target(),
		Close:  other.Close,
		KeySet: func() []byte {
			text, _ := json.Marshal(other.keySet())
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

// hasKeys refreshes expired keys, and reports whether there are any.
func (s *Server) hasKeys() bool {
	if s.cache.running.Load() && s.has(RefusesDuringFetch) {
		return true
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if s.cache.fetched.IsZero() || s.now().Sub(s.cache.fetched) > keysAge {
		s.fetchKeys()
	}
	if s.now().Sub(s.cache.fetched) > keysEnd && !s.has(NeverExpiresKeys) {
		s.cache.keys = nil
	}
	if s.has(BreaksOnClocks) && s.now().Before(s.cache.fetched) {
		return false
	}
	return len(s.cache.keys) > 0 || s.has(RefusesWithoutKeys)
}

// keysFor returns the issuer's keys with an ID. For an unknown ID the server fetches the key set
// once in a while.
func (s *Server) keysFor(id string) []jose.JSONWebKey {
	if s.cache.running.Load() && s.has(RefusesDuringFetch) {
		return nil
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	known := (&jose.JSONWebKeySet{Keys: s.cache.keys}).Key(id)
	if len(known) > 0 || s.has(IgnoresNewKeys) {
		return known
	}
	now := s.now()
	isDue := now.Sub(s.cache.forced) > keysForced && !s.has(FetchesUnknownKeysOnce)
	if s.cache.forced.IsZero() || isDue || s.has(FetchesForEveryToken) {
		s.cache.forced = now
		s.fetchKeys()
	}
	if s.has(IgnoresKeyIDs) {
		return s.cache.keys
	}
	return (&jose.JSONWebKeySet{Keys: s.cache.keys}).Key(id)
}

// lacksKeys reports whether the last fetch of the keys has failed.
func (s *Server) lacksKeys() bool {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.cache.failed
}

// fetchKeys fetches the key set. The caller holds the lock.
func (s *Server) fetchKeys() {
	now := s.now()
	s.cache.running.Store(!s.cache.fetched.IsZero())
	defer s.cache.running.Store(false)
	keys, err := s.readKeys()
	s.cache.failed = err != nil
	switch {
	case err != nil && s.has(ForgetsKeysInOutage):
		s.cache.keys = nil
		return
	case err != nil:
		return
	case s.has(NeverExpiresKeys):
		keys = append(keys, s.cache.keys...)
	}
	s.cache.keys = keys
	s.cache.fetched = now
}

// readKeys fetches the key set, and returns the usable keys.
func (s *Server) readKeys() ([]jose.JSONWebKey, error) {
	if err := s.readDocument(); err != nil {
		return nil, err
	}
	text, err := s.askIssuer(s.cache.address, maxKeySet, s.has(FollowsKeyRedirects))
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
		key, isUsable, err := s.readKey(member)
		if err != nil && s.has(NeedsEveryKey) {
			return nil, err
		}
		if known[key.KeyID] && s.has(KeepsOneKeyPerID) {
			continue
		}
		known[key.KeyID] = true
		if err == nil && isUsable {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no usable key")
	}
	return keys, nil
}

// readKey decodes a key, and reports whether the server may use it.
func (s *Server) readKey(text []byte) (key jose.JSONWebKey, isUsable bool, err error) {
	var limits struct {
		Operations []string `json:"key_ops"`
		Issuer     string   `json:"issuer"`
	}
	err = json.Unmarshal(text, &key)
	if err == nil {
		err = json.Unmarshal(text, &limits)
	}
	_, isRSA := key.Key.(*rsa.PublicKey)
	signs := (key.Use == "" || key.Use == "sig") && limits.Operations == nil
	fits := (key.Algorithm == "" || key.Algorithm == "ES256") && !isRSA
	isOurs := limits.Issuer == "" || limits.Issuer == s.origin || s.has(IgnoresKeyIssuer)
	return key, isOurs && (signs && fits || s.has(IgnoresKeyUse)), err
}
