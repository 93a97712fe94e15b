package state

import (
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

// Bounds of a session.
const (
	maxAccounts   = 10
	maxSignedApps = 20
)

// A session is the session of a browser. State.mu guards it.
type session struct {
	users []SignedIn // the last sign-in first
	apps  []SignedApp
}

// A SignedApp is an app to notify at sign-out, with the sid of its tokens.
type SignedApp struct {
	App *directory.App
	SID string
}

// A SignedIn is a person with a session.
type SignedIn struct {
	Tenant       *directory.Tenant
	User         *directory.User
	At           time.Time
	SecondFactor bool
}

// SignIn starts a session with a new ID. It moves the people and apps of the session with the old
// ID, if there is one. The old ID becomes invalid, which prevents session fixation.
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

// SignedIn returns the person who signed in last, or nil. It considers one tenant, or all if tenant
// is nil.
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

// Pick returns the account for a request: the account in login_hint, or else the last sign-in.
// Several reports that the session has more accounts and the request has no hint.
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
			// The next pages are for the first person in the list.
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

// RememberApp keeps an app to notify when the browser signs out.
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

// SignOut ends a session. It returns the apps to notify, and false if there was no session.
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

// AddMFASession records that the session of a token had a second factor. v2 tokens do not show it.
func (s *State) AddMFASession(sid string) { s.mfaSessions.Add(sid, struct{}{}) }

// HadMFA reports whether the session of a token had a second factor.
func (s *State) HadMFA(sid string) bool { return sid != "" && s.mfaSessions.Contains(sid) }
