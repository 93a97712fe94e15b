package state

import "time"

// A ManagedToken is a token that the machine keeps for a managed identity.
type ManagedToken struct {
	Value  string
	Issued time.Time
	Expiry time.Time
}

// AddManagedToken keeps the token of a managed identity for a resource.
func (s *State) AddManagedToken(identity, resource string, token ManagedToken) {
	s.managed.Add(identity+" "+resource, token)
}

// ManagedToken finds the token of a managed identity for a resource.
func (s *State) ManagedToken(identity, resource string) (ManagedToken, bool) {
	return s.managed.Get(identity + " " + resource)
}
