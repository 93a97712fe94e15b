package state

import (
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// How many people can be signed in in one browser, and how many apps are told when it signs out.
const (
	maxAccounts   = 10
	maxSignedApps = 20
)

// A session is a browser in which people have signed in, most recent first. State.mu guards it.
type session struct {
	users []SignedIn
	apps  []SignedApp
}

// A SignedApp is an app that is told at sign-out, with the sid of its tokens.
type SignedApp struct {
	App *directory.App
	SID string
}

// A SignedIn is a person who is signed in in a browser.
type SignedIn struct {
	Tenant       *directory.Tenant
	User         *directory.User
	At           time.Time
	SecondFactor bool
}

// SignIn starts a session, or continues the one with the old ID under a new ID. A session that was
// planted before the sign-in is worth nothing.
func (s *State) SignIn(oldID, newID string, person SignedIn) {
	next := &session{users: []SignedIn{person}}
	if old, found := s.sessions.Get(oldID); found {
		s.mu.Lock()
		for _, other := range old.users {
			if other.User != person.User && len(next.users) < maxAccounts {
				next.users = append(next.users, other)
			}
		}
		next.apps = old.apps
		s.mu.Unlock()
		s.sessions.Remove(oldID)
	}
	s.sessions.Add(newID, next)
}

// SignedIn returns the person who signed in last, of one tenant or of any, or nil.
func (s *State) SignedIn(sessionID string, tenant *directory.Tenant) *SignedIn {
	browser, found := s.sessions.Get(sessionID)
	if !found {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, person := range browser.users {
		if (tenant == nil || person.Tenant == tenant) && !person.User.Disabled {
			return &person
		}
	}
	return nil
}

// Pick returns the account that a request is about: the one that login_hint names, or else the one
// that signed in last. Several reports that there are others, and that the request names none.
func (s *State) Pick(sessionID string, tenant *directory.Tenant, hint string) (person *SignedIn, several bool) {
	browser, found := s.sessions.Get(sessionID)
	if !found {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range browser.users {
		switch {
		case tenant != nil && other.Tenant != tenant, other.User.Disabled:
		case hint != "" && strings.EqualFold(hint, other.User.UserPrincipalName):
			// The pages that follow are about the first person.
			browser.users = slices.Insert(slices.Delete(slices.Clone(browser.users), i, i+1), 0, other)
			return &other, false
		case hint == "" && person == nil:
			person = &other
		case hint == "":
			several = true
		}
	}
	return person, several
}

// RememberApp notes an app to tell when the browser signs out.
func (s *State) RememberApp(sessionID string, app *directory.App, sid string) {
	browser, found := s.sessions.Get(sessionID)
	if !found || app.LogoutURL == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(browser.apps) < maxSignedApps {
		browser.apps = append(slices.Clone(browser.apps), SignedApp{app, sid})
	}
}

// SignOut ends a session. It returns the apps to tell, and false if there was no session.
func (s *State) SignOut(sessionID string) ([]SignedApp, bool) {
	browser, found := s.sessions.Get(sessionID)
	if !found {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.Remove(sessionID)
	return browser.apps, true
}

// Revoke signs a user out of all browsers and revokes the grants that started before.
func (s *State) Revoke(userID string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revokedAt[userID] = now
	for _, id := range s.sessions.Keys() {
		if browser, found := s.sessions.Peek(id); found {
			browser.users = slices.DeleteFunc(slices.Clone(browser.users), func(person SignedIn) bool {
				return person.User.ID == userID
			})
		}
	}
}

// Revoked reports whether the sessions of the person were revoked after a grant started.
func (s *State) Revoked(d *rules.Delegation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := s.revokedAt[d.User.ID]
	return found && !d.Began.After(at)
}

// AddMFASession notes that the session of a token had a second factor. Tokens of v2 do not say so.
func (s *State) AddMFASession(sid string) { s.mfaSessions.Add(sid, struct{}{}) }

// HadMFA reports whether the session of a token had a second factor.
func (s *State) HadMFA(sid string) bool { return sid != "" && s.mfaSessions.Contains(sid) }
