package state

import (
	"slices"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// A ConsentKey identifies a record of consent.
type ConsentKey struct {
	TenantID string
	UserID   string // empty for an administrator's consent for all users
	ClientID string
}

// Granted returns the permissions that a client has from a person, from an administrator for all
// users, or from the directory.
func (s *State) Granted(
	entra *rules.Rules,
	tenant *directory.Tenant,
	client *directory.App,
	user *directory.User,
) []string {
	own := s.consented(ConsentKey{TenantID: tenant.ID, UserID: user.ID, ClientID: client.ID})
	forAll := s.consented(ConsentKey{TenantID: tenant.ID, ClientID: client.ID})
	return slices.Concat(own, forAll, entra.Consented(tenant, client))
}

// consented returns the permissions of a record of consent.
func (s *State) consented(key ConsentKey) []string {
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
