package acceptance_test

import (
	"net/url"
	"time"

	"pgregory.net/rapid"
)

// draw chooses one of some things.
func draw[T any](t *rapid.T, what string, from []T) T { return rapid.SampledFrom(from).Draw(t, what) }

func (h *history) replica(t *rapid.T) int { return rapid.IntRange(0, replicas-1).Draw(t, "replica") }

func (h *history) person(t *rapid.T) int { return rapid.IntRange(1, 2).Draw(t, "person") }

// oneIn is true once in n times.
func oneIn(t *rapid.T, n int, what string) bool { return rapid.IntRange(1, n).Draw(t, what) == n }

var scopeSets = []string{
	"user.read", "user.read", "notes.read", "notes.write", "user.read notes.read", "user.read notes.read notes.write",
}

// wait lets time pass.
func (h *history) wait(t *rapid.T) {
	h.later(draw(t, "time", []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 29 * time.Second, 30 * time.Second, time.Minute,
		4 * time.Minute, 10 * time.Minute, 15 * time.Minute, 55 * time.Minute, time.Hour, 23 * time.Hour,
		29 * 24 * time.Hour, 100 * 24 * time.Hour,
	}[:draw(t, "limit", []int{5, 6, 7, 7, 8, 11, 14})]))
}

// restart replaces a replica.
func (h *history) restart(t *rapid.T) { h.world.restart(h.replica(t)) }

// endSessions ends the sign-ins of a person at Entra.
func (h *history) endSessions(t *rapid.T) {
	if !oneIn(t, 4, "really") {
		return
	}
	person := h.person(t)
	h.entra.endSessions(person)
	end := func(one *modelUpstream) {
		if one != nil && one.person == person {
			one.ended = true
		}
	}
	for _, g := range h.grants {
		end(g.upstream)
	}
	for _, c := range h.codes {
		end(c.upstream)
	}
	for _, d := range h.devices {
		end(d.upstream)
	}
	for _, flow := range h.flows {
		end(flow.upstream)
	}
}

// A credential is how a program authenticates.
type credential struct {
	program *modelProgram
	wrong   bool // the secret
}

// credential draws the owner's credential in most cases.
func (h *history) credential(t *rapid.T, owner *modelProgram) credential {
	if owner == nil || oneIn(t, 8, "other program") {
		owner = draw(t, "program", h.programs)
	}
	return credential{owner, oneIn(t, 16, "wrong secret")}
}

// apply adds the credential to a form, and returns the headers.
func (c credential) apply(form url.Values) []string {
	form.Del("client_id")
	secret := c.program.secret
	if c.wrong {
		secret += "x"
	}
	if secret == "" {
		form.Set("client_id", c.program.id)
		return nil
	}
	return []string{"Authorization", basic(c.program.id, secret)}
}

// refused returns the statuses of a request that the credential does not permit, or nil.
func (h *history) refused(c credential) []int {
	switch {
	case !h.now().Before(c.program.until):
		return []int{401}
	case !c.wrong:
		return nil
	case c.program.secret == "":
		return []int{401}
	}
	c.program.guesses++
	if c.program.guesses > wrongCredentials {
		return []int{401, 429}
	}
	return []int{401}
}
