package state

import "slices"

// A ConsentKey names a record of consent. An administrator's consent for all users has no user.
type ConsentKey struct{ TenantID, UserID, ClientID string }

// Consented returns the permissions of a record of consent.
func (s *State) Consented(key ConsentKey) []string {
	granted, _ := s.consents.Get(key)
	return granted
}

// Consent adds permissions to a record of consent.
func (s *State) Consent(key ConsentKey, permissions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted, _ := s.consents.Get(key)
	granted = slices.Clone(granted)
	for _, permission := range permissions {
		if !slices.Contains(granted, permission) {
			granted = append(granted, permission)
		}
	}
	s.consents.Add(key, granted)
}
