package state

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"mcpentra/fakeentra/directory"
)

// Bounds of the collections.
const (
	maxCodes         = 10_000
	maxRefreshTokens = 50_000
	maxSessions      = 10_000
	maxConsents      = 50_000
	maxPrincipals    = 50_000
	maxDevices       = 1_000
	maxRegistered    = 1_000
	maxDocuments     = 200
	maxManaged       = 1_000
)

// A State is the memory of one fake. Its methods are safe for concurrent use, except Reset and
// Rebind. These two need a state that no request is using.
type State struct {
	codes         *lru.Cache[grantHash, *Code]
	refreshTokens *lru.Cache[grantHash, *RefreshToken]
	sessions      *lru.Cache[string, *session]
	consents      *lru.Cache[ConsentKey, []string]
	principals    *lru.Cache[principalKey, struct{}]
	devices       *lru.Cache[string, *DeviceCode] // by device code
	userCodes     *lru.Cache[string, *DeviceCode]
	mfaSessions   *lru.Cache[string, struct{}] // by sid
	registered    *lru.Cache[string, *directory.App]
	documents     *lru.Cache[string, []byte]
	managed       *lru.Cache[string, ManagedToken]

	mu          sync.Mutex             // guards revocations and the entries of the collections
	revocations map[string]*Revocation // by the object ID of a user
}

// New returns an empty state.
func New() *State {
	s := &State{revocations: map[string]*Revocation{}}
	// The sizes are positive constants, so no error is possible.
	s.codes, _ = lru.New[grantHash, *Code](maxCodes)
	s.refreshTokens, _ = lru.New[grantHash, *RefreshToken](maxRefreshTokens)
	s.sessions, _ = lru.New[string, *session](maxSessions)
	s.consents, _ = lru.New[ConsentKey, []string](maxConsents)
	s.principals, _ = lru.New[principalKey, struct{}](maxPrincipals)
	s.devices, _ = lru.New[string, *DeviceCode](maxDevices)
	s.userCodes, _ = lru.New[string, *DeviceCode](maxDevices)
	s.mfaSessions, _ = lru.New[string, struct{}](maxSessions)
	s.registered, _ = lru.New[string, *directory.App](maxRegistered)
	s.documents, _ = lru.New[string, []byte](maxDocuments)
	s.managed, _ = lru.New[string, ManagedToken](maxManaged)
	return s
}

// Reset forgets everything except the documents, because they depend only on the directory.
func (s *State) Reset() {
	s.mu.Lock()
	s.revocations = map[string]*Revocation{}
	s.mu.Unlock()
	s.codes.Purge()
	s.refreshTokens.Purge()
	s.sessions.Purge()
	s.consents.Purge()
	s.principals.Purge()
	s.devices.Purge()
	s.userCodes.Purge()
	s.mfaSessions.Purge()
	s.registered.Purge()
	s.managed.Purge()
}

// Register keeps a dynamically registered client (RFC 7591).
func (s *State) Register(app *directory.App) { s.registered.Add(app.ID, app) }

// Registered finds a dynamically registered client by its application ID.
func (s *State) Registered(clientID string) (*directory.App, bool) { return s.registered.Get(clientID) }

// Document returns a document by its name, and makes it if it is missing. Rebind forgets documents.
func (s *State) Document(name string, write func() []byte) []byte {
	text, found := s.documents.Get(name)
	if !found {
		text = write()
		s.documents.Add(name, text)
	}
	return text
}
