package acceptance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// TestHistories runs random histories against two replicas and the model. The flag -rapid.checks
// says how many histories each part runs.
func TestHistories(t *testing.T) {
	t.Parallel()
	file, secret := clientFile(t, t.TempDir())
	for part := range full(1, 2) { // one for each core
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				h := newHistory(t, file, secret)
				t.Repeat(map[string]func(*rapid.T){
					"":             h.judgeNext,
					"sign in":      h.signIn,
					"authorize":    h.authorize,
					"decide":       h.decide,
					"come back":    h.comeBack,
					"redeem":       h.redeem,
					"refresh":      h.refresh,
					"refresh on":   h.refreshLatest,
					"revoke":       h.revoke,
					"introspect":   h.introspect,
					"ask device":   h.askForDevice,
					"type code":    h.typeCode,
					"poll":         h.poll,
					"end at Entra": h.endSessions,
					"administer":   h.administer,
					"wait":         h.wait,
					"restart":      h.restart,
				})
				h.judgeAll(t)
			})
		})
	}
}

const replicas = 2

// A history is one run of the broker, and the model's knowledge of it.
type history struct {
	*world
	t         *rapid.T
	secret    string // of the resource server
	programs  []*modelProgram
	browsers  []*browser
	flows     []*modelFlow
	codes     []*modelCode
	devices   []*modelDevice
	grants    []*modelGrant
	access    []*modelAccess         // the newest ones
	judged    int                    // how many were asked about
	refreshes []string               // all refresh tokens, the newest last
	owners    map[string]*modelGrant // of the refresh tokens
	consents  map[consentKey][]modelConsent
}

func newHistory(t *rapid.T, file, secret string) *history {
	var shared store.Store
	w := newWorld(t, options{
		replicas: replicas,
		clients:  broker.ClientPolicy{File: file},
		store: func(now func() time.Time) store.Store {
			if shared == nil {
				shared = store.NewMemory(store.Config{Now: now})
			}
			return newLaggingStore(shared, now)
		},
	})
	h := &history{
		world:    w,
		t:        t,
		secret:   secret,
		owners:   map[string]*modelGrant{},
		consents: map[consentKey][]modelConsent{},
	}
	h.register(metadata())
	web := metadata()
	web["redirect_uris"] = []string{appURI}
	web["token_endpoint_auth_method"] = "client_secret_basic"
	h.register(web)
	device := metadata()
	device["grant_types"] = []string{"authorization_code", "refresh_token", deviceGrant}
	h.register(device)
	h.browsers = []*browser{w.browser(), w.browser()}
	return h
}

func (h *history) register(metadata map[string]any) {
	got := h.world.register(0, metadata)
	require.Equal(h.t, 201, got.status)
	grants, _ := metadata["grant_types"].([]string)
	h.programs = append(h.programs, &modelProgram{
		id:       got.ClientID,
		secret:   got.Secret,
		redirect: metadata["redirect_uris"].([]string)[0],
		devices:  slices.Contains(grants, deviceGrant),
		until:    h.now().Add(unusedLifetime),
	})
}

// judgeAll asks both replicas about all access tokens.
func (h *history) judgeAll(t *rapid.T) {
	for _, access := range h.access {
		for replica := range h.replicas {
			h.judge(t, access, replica)
		}
	}
}

// judgeNext asks a replica about the next access token.
func (h *history) judgeNext(t *rapid.T) {
	if len(h.access) > 0 {
		h.judged++
		h.judge(t, h.access[h.judged/replicas%len(h.access)], h.judged%replicas)
	}
}

func (h *history) judge(t *rapid.T, access *modelAccess, replica int) {
	caller, err := h.replicas[replica].Verify(t.Context(), access.text)
	want := access.judge(h.now(), replica)
	if want != either {
		require.Equal(t, want == alive, err == nil, "an access token at replica %d: %v", replica, err)
	}
	if err != nil {
		return
	}
	require.Equal(t, access.grant.program.id, caller.ClientID)
	require.Equal(t, objectID(access.grant.person), caller.ObjectID)
	require.ElementsMatch(t, access.scopes, caller.Scopes)
	require.True(t, isWithin(caller.Scopes, access.grant.scopes))
}

// gotTokens records an answer with tokens.
func (h *history) gotTokens(t *rapid.T, g *modelGrant, got told, scopes []string) {
	require.ElementsMatch(t, scopes, strings.Fields(got.Scope))
	lifetime := min(accessLifetime, g.upstream.expiry.Sub(h.now()))
	require.Equal(t, int(lifetime.Seconds()), got.Lifetime)
	h.access = append(h.access, &modelAccess{
		text:    got.Access,
		grant:   g,
		scopes:  scopes,
		expires: h.now().Add(lifetime),
	})
	if len(h.access) > 12 {
		h.access = h.access[1:]
	}
	if h.owners[got.Refresh] == nil {
		h.owners[got.Refresh] = g
		h.refreshes = append(h.refreshes, got.Refresh)
	}
}

// newGrant records the grant of a code or device code.
func (h *history) newGrant(t *rapid.T, p *modelProgram, person int, up *modelUpstream, got told) *modelGrant {
	g := &modelGrant{
		program:  p,
		person:   person,
		scopes:   fields(got.Scope),
		current:  got.Refresh,
		rotated:  h.now(),
		until:    h.now().Add(grantLifetime),
		upstream: up,
	}
	require.Nil(t, h.owners[got.Refresh], "a refresh token of another grant")
	h.grants = append(h.grants, g)
	h.gotTokens(t, g, got, g.scopes)
	return g
}

// steal ends a grant and the consents of its person to its program.
func (h *history) steal(g *modelGrant, replica int) {
	g.end(h.now(), replica)
	delete(h.consents, consentKey{g.person, g.program})
}
