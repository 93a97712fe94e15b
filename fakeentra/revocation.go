package fakeentra

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/signing"
	"mcpentra/fakeentra/internal/state"
)

// A RevocationEvent is a reason for which Entra ID ends sessions and tokens before they expire
// (Microsoft's page "Continuous access evaluation").
type RevocationEvent string

// The events.
const (
	SessionsRevoked RevocationEvent = "sessions revoked" // by an administrator or the person
	PasswordChanged RevocationEvent = "password changed" // or reset
	AccountDisabled RevocationEvent = "account disabled" // also disables the account
	AccountDeleted  RevocationEvent = "account deleted"  // also deletes the account
	MFAEnabled      RevocationEvent = "mfa enabled"      // for the person
	UserRisk        RevocationEvent = "user risk"        // Entra ID Protection reports a high risk
)

var revocationEvents = []RevocationEvent{
	SessionsRevoked,
	PasswordChanged,
	AccountDisabled,
	AccountDeleted,
	MFAEnabled,
	UserRisk,
}

// A Revocation is an event that happens to a user.
type Revocation struct {
	User  string          // object ID or user principal name
	Event RevocationEvent // empty means SessionsRevoked
	// Delay is the time until Graph and other APIs learn of the event. At Entra ID it can be up to
	// 15 minutes. The token endpoint knows of the event at once.
	Delay time.Duration
}

// RevokeSessions does what an administrator's "Revoke sessions" does. It is Revoke with
// SessionsRevoked.
func (f *Fake) RevokeSessions(user string) error {
	return f.Revoke(Revocation{User: user})
}

// Revoke makes an event happen. The fake then refuses older refresh tokens with AADSTS50173 and
// browsers are signed out. Graph refuses the older tokens of clients that declared the capability
// cp1, and TokenState reports older tokens as inactive. The person can sign in again, unless the
// account is disabled or deleted. The error says that no tenant has the user, or that the event is
// unknown.
func (f *Fake) Revoke(revocation Revocation) error {
	event := revocation.Event
	if event == "" {
		event = SessionsRevoked
	}
	if !slices.Contains(revocationEvents, event) {
		return fmt.Errorf("fakeentra: revoke sessions: want one of %q as event, got %q", revocationEvents, event)
	}
	if revocation.Delay < 0 {
		return fmt.Errorf("fakeentra: revoke sessions: want a delay of 0 or more, got %v", revocation.Delay)
	}
	f.directoryMu.Lock()
	defer f.directoryMu.Unlock()
	for i := range f.directory.Tenants {
		user := f.directory.Tenants[i].User(revocation.User)
		if user == nil {
			continue
		}
		f.state.Revoke(user.ID, string(event), f.clock.now(), revocation.Delay)
		if event == AccountDisabled || event == AccountDeleted {
			f.directory = withoutAccount(f.directory, i, user.ID, event)
			f.state.Rebind(&f.directory)
		}
		return nil
	}
	return fmt.Errorf("fakeentra: revoke sessions: no user %s", revocation.User)
}

// withoutAccount copies a directory, and disables or deletes a user of a tenant in the copy. A
// caller of Directory may hold the original.
func withoutAccount(d directory.Directory, tenant int, id string, event RevocationEvent) directory.Directory {
	next := d
	next.Tenants = slices.Clone(d.Tenants)
	users := slices.Clone(next.Tenants[tenant].Users)
	i := slices.IndexFunc(users, func(user directory.User) bool { return user.ID == id })
	if event == AccountDeleted {
		users = slices.Delete(users, i, i+1)
		next.Tenants[tenant].Groups = withoutMember(next.Tenants[tenant].Groups, id)
	} else {
		users[i].Disabled = true
	}
	next.Tenants[tenant].Users = users
	return next
}

// withoutMember copies groups without a member.
func withoutMember(groups []directory.Group, id string) []directory.Group {
	groups = slices.Clone(groups)
	for i := range groups {
		groups[i].Members = slices.DeleteFunc(slices.Clone(groups[i].Members), func(member string) bool {
			return strings.EqualFold(member, id)
		})
	}
	return groups
}

// revokeMissing revokes the tokens of the people that a new directory lacks or newly disables.
func revokeMissing(memory *state.State, old, next *directory.Directory, now time.Time) {
	for i := range old.Tenants {
		tenant := next.Tenant(old.Tenants[i].ID)
		if tenant == nil {
			continue
		}
		for j := range old.Tenants[i].Users {
			before := &old.Tenants[i].Users[j]
			user := tenant.User(before.ID)
			switch {
			case user == nil:
				memory.Revoke(before.ID, string(AccountDeleted), now, 0)
			case user.Disabled && !before.Disabled:
				memory.Revoke(before.ID, string(AccountDisabled), now, 0)
			}
		}
	}
}

// reasonOf returns the reason of TokenState for an error of Verify.
func reasonOf(err error) string {
	if errors.Is(err, signing.ErrExpired) {
		return "expired"
	}
	return "foreign"
}
