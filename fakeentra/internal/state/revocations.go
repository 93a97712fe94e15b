package state

import (
	"slices"
	"time"

	"mcpentra/fakeentra/internal/rules"
)

// maxIssuedSince bounds the tokens in Revocation.issuedSince.
const maxIssuedSince = 10_000

// A Revocation is the last event that ended the sessions of a user. State.mu guards it.
type Revocation struct {
	Event string
	// Effective is the time at which resource servers learn of the event.
	Effective time.Time

	// at is later than any sign-in before the event, even if the clock stands still.
	at time.Time
	// issuedSince holds the uti of the tokens from the second of the event that are later. A token
	// shows its time of issue in seconds only, and a test can stop the clock.
	issuedSince map[string]struct{}
	// before is the event before this one. It can be effective sooner.
	before *Revocation
}

// Revoke signs a user out of all browsers, and revokes the user's refresh tokens and access tokens.
// Resource servers learn of it after a delay.
func (s *State) Revoke(userID, event string, now time.Time, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.revocations[userID]
	s.revocations[userID] = &Revocation{
		Event:       event,
		Effective:   now.Add(delay),
		at:          s.begin(userID, now),
		issuedSince: map[string]struct{}{},
		before:      before,
	}
	if before != nil {
		before.before = nil
	}
	for _, id := range s.sessions.Keys() {
		if browser, found := s.sessions.Peek(id); found {
			browser.users = slices.DeleteFunc(slices.Clone(browser.users), func(person SignedIn) bool {
				return person.User.ID == userID
			})
		}
	}
}

// Begin returns the time for a new sign-in of a user. It is now, or just after the last revocation
// if the clock has not moved since.
func (s *State) Begin(userID string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin(userID, now)
}

func (s *State) begin(userID string, now time.Time) time.Time {
	if last := s.revocations[userID]; last != nil && !now.After(last.at) {
		return last.at.Add(1)
	}
	return now
}

// Revoked reports whether the person's sessions were revoked after a delegation began.
func (s *State) Revoked(d *rules.Delegation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked(d)
}

func (s *State) revoked(d *rules.Delegation) bool {
	last := s.revocations[d.User.ID]
	return last != nil && !d.Began.After(last.at)
}

// TokensValidFrom returns the time of the last revocation of a user's sessions, or the zero time.
func (s *State) TokensValidFrom(userID string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.revocations[userID]; last != nil {
		return last.at
	}
	return time.Time{}
}

// TokenIssued records an access token of a user, given by its uti.
func (s *State) TokenIssued(userID, uti string, issued time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.revocations[userID]
	if last != nil && last.covers(issued) && len(last.issuedSince) < maxIssuedSince {
		last.issuedSince[uti] = struct{}{}
	}
}

// TokenRevocation returns the event that revoked an access token, given by its uti and its time of
// issue. Of two events it returns the one that is effective first. It returns false if there was
// none.
func (s *State) TokenRevocation(userID, uti string, issued time.Time) (Revocation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first *Revocation
	for event := s.revocations[userID]; event != nil; event = event.before {
		_, isLater := event.issuedSince[uti]
		if isLater || !event.covers(issued) {
			break // the token is later than this event and those before
		}
		if first == nil || event.Effective.Before(first.Effective) {
			first = event
		}
	}
	if first == nil {
		return Revocation{}, false
	}
	return Revocation{Event: first.Event, Effective: first.Effective}, true
}

// covers reports whether a time, in seconds, is not after the event.
func (r *Revocation) covers(issued time.Time) bool { return issued.Unix() <= r.at.Unix() }
