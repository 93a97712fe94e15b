package fakeentra

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/claims"
	"mcpentra/fakeentra/internal/graph"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// declareCapabilities sets the client's capabilities to what a token request declares. Without the
// parameter claims, the declaration in the authorization request counts.
func (t *tokenRequest) declareCapabilities(d *rules.Delegation) {
	if t.params.Get("claims") != "" {
		d.Capabilities = t.claims.Capabilities
	}
}

// personLifetime returns the lifetime of a person's access token. It is long if the resource is
// Graph and the client handles its claims challenges. Revocation then ends the token early. An API
// of the directory gets the usual lifetime (L).
// The lifetime comes from eight random bytes.
func personLifetime(random []byte, d *rules.Delegation, resource *directory.App) (_ time.Duration, isLong bool) {
	if resource == &rules.GraphApp && rules.DeclaresCAE(d.Capabilities) {
		return newLongLifetime(random), true
	}
	return newLifetime(random), false
}

// newLongLifetime returns 20 to 28 hours, like Entra ID, from eight random bytes.
func newLongLifetime(random []byte) time.Duration {
	const spread = 8 * time.Hour
	n := binary.BigEndian.Uint64(random) % uint64(spread/time.Second+1)
	return 20*time.Hour + time.Duration(n)*time.Second
}

// tokenRevocation returns the event that revoked a person's access token, if resource servers know
// of it by now.
func tokenRevocation(memory *state.State, now time.Time, token map[string]any) (state.Revocation, bool) {
	issued, _ := token["iat"].(float64)
	at := time.Unix(int64(issued), 0).Add(claims.Backdate)
	event, found := memory.TokenRevocation(text(token, "oid"), text(token, "uti"), at)
	return event, found && !now.Before(event.Effective)
}

// refusedByGraph reports whether Graph refuses a token because of a revocation. Without the
// client's capability, Graph accepts a token until it expires.
func refusedByGraph(memory *state.State, now time.Time, token map[string]any) bool {
	_, revoked := tokenRevocation(memory, now, token)
	return revoked && rules.DeclaresCAE(texts(token, "xms_cc"))
}

// popNonce returns a nonce for Graph's challenge, or nothing without PoPChallenge.
func popNonce(config Config, source *random) string {
	if !config.PoPChallenge {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(source.bytes(32))
}

// A TokenState says whether an API should still accept a token. Entra ID itself has no endpoint for
// this question. Resource servers of Microsoft learn of revocations by other means.
type TokenState struct {
	Active bool `json:"active"`
	// Reason is why the token is not active: "foreign" for a token that this fake did not sign,
	// "expired", or a RevocationEvent.
	Reason string `json:"reason,omitempty"`
	// Claims is the challenge after a revocation, for the parameter claims of a WWW-Authenticate
	// header. It is base64, as Graph sends it.
	Claims string `json:"claims,omitempty"`
}

// TokenState tells whether a token that this fake issued for any API is still valid: its signature,
// its expiry, and the account of its person.
func (f *Fake) TokenState(token string) TokenState {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	claims, err := f.keys.Verify(token, f.clock.now())
	if err != nil {
		return TokenState{Reason: reasonOf(err)}
	}
	reason := accountProblem(&f.directory, claims)
	if event, revoked := tokenRevocation(f.state, f.clock.now(), claims); revoked {
		reason = RevocationEvent(event.Event)
	}
	if reason == "" {
		return TokenState{Active: true}
	}
	challenge := graph.ClaimsChallenge(f.clock.now())
	return TokenState{Reason: string(reason), Claims: base64.StdEncoding.EncodeToString([]byte(challenge))}
}

// accountProblem returns the event after which a token's person has no account to use. It is empty
// for app-only tokens.
func accountProblem(d *directory.Directory, claims map[string]any) RevocationEvent {
	if text(claims, "scp") == "" {
		return ""
	}
	tenant := d.Tenant(text(claims, "tid"))
	if tenant == nil {
		return AccountDeleted
	}
	user := tenant.User(text(claims, "oid"))
	switch {
	case user == nil:
		return AccountDeleted
	case user.Disabled:
		return AccountDisabled
	}
	return ""
}
