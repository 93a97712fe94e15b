package tokenstore

import (
	"sync"

	"mcpentra/client/grant"
)

// A Key is what registrations and tokens belong to.
type Key struct {
	Issuer   string // of the authorization server
	Resource string // the URL of the MCP server
}

// An Entry is what is kept for a key.
type Entry struct {
	Client grant.Client
	Token  grant.Token
	// TokenEndpoint and RevocationEndpoint are the issuer's, as its metadata said when the token was issued.
	TokenEndpoint, RevocationEndpoint string
	// RedirectURI is the one that the client was registered with, and Resource the indicator that the token was asked for with, empty where the server has none.
	RedirectURI, Resource string
}

// Memory keeps entries as long as the process runs. Its zero value is ready, and it is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	entries map[Key]Entry
	current map[string]string // resource → issuer that was used last
}

// Load returns what is kept for a resource, with the issuer that it came from.
func (m *Memory) Load(resource string) (Key, Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := Key{m.current[resource], resource}
	entry, found := m.entries[key]
	return key, entry, found
}

// Get returns what is kept for a key.
func (m *Memory) Get(key Key) (Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, found := m.entries[key]
	return entry, found
}

// Save keeps an entry, and makes its issuer the one that is used for the resource.
func (m *Memory) Save(key Key, entry Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries, m.current = map[Key]Entry{}, map[string]string{}
	}
	m.entries[key] = entry
	m.current[key.Resource] = key.Issuer
}

// Forget removes the token of a key. The registration stays.
func (m *Memory) Forget(key Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if entry, found := m.entries[key]; found {
		entry.Token = grant.Token{}
		m.entries[key] = entry
	}
}
