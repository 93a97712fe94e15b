package acceptance_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// signIn goes through a whole authorization at random replicas, and in most cases redeems the code.
func (h *history) signIn(t *rapid.T) {
	flow := h.begin(t)
	if flow == nil {
		return // the broker has forgotten the program
	}
	for range 2 {
		if flow.page != "" {
			h.answer(t, flow, "approve")
		}
		if flow.address != "" {
			h.callback(t, flow, h.person(t))
		}
	}
	if flow.code != nil && !oneIn(t, 4, "later") {
		h.redeemCode(t, flow.code, credential{program: flow.program}, "")
	}
}

// authorize begins an authorization.
func (h *history) authorize(t *rapid.T) { h.begin(t) }

func (h *history) begin(t *rapid.T) *modelFlow {
	b := h.drawBrowser(t)
	p := h.programs[draw(t, "program", []int{0, 1, 1, 1, 2})]
	scope := draw(t, "scope", scopeSets)
	page := b.open(h.replica(t), authorization(p.id, p.redirect, scope))
	if !h.now().Before(p.until) {
		require.Equal(t, http.StatusBadRequest, page.status)
		return nil
	}
	flow := &modelFlow{browser: b, program: p, scopes: fields(scope)}
	h.flows = append(h.flows, flow)
	if isConsent(page) {
		h.sawPage(t, flow, page)
		return flow
	}
	require.Equal(t, http.StatusFound, page.status, page.body)
	require.NotEmpty(t, p.secret, "a program that any other could claim to be is not trusted without a page")
	flow.skipped = true
	h.sentToEntra(flow, onward(page))
	return flow
}

// drawBrowser chooses a browser. A browser of many flows is replaced.
func (h *history) drawBrowser(t *rapid.T) *browser {
	i := rapid.IntRange(0, len(h.browsers)-1).Draw(t, "browser")
	began := 0
	for _, flow := range h.flows {
		if flow.browser == h.browsers[i] {
			began++
		}
	}
	if began >= maxFlows || h.browsers[i].isFull() {
		h.browsers[i] = h.browser()
	}
	return h.browsers[i]
}

func (h *history) sawPage(t *rapid.T, flow *modelFlow, page answer) {
	names := shown(page.body)
	require.True(t, isWithin(flow.scopes, names), "the page names all scopes")
	flow.page = page.body
	flow.address = ""
	flow.until = h.now().Add(pageLifetime)
}

func (h *history) sentToEntra(flow *modelFlow, address string) {
	flow.page = ""
	flow.address = address
	flow.until = h.now().Add(pageLifetime)
}

// decide answers an open consent page.
func (h *history) decide(t *rapid.T) {
	open := h.flowsThat(func(flow *modelFlow) bool { return flow.page != "" })
	if len(open) > 0 {
		h.answer(t, draw(t, "flow", open), draw(t, "button", []string{"approve", "approve", "deny"}))
	}
}

func (h *history) flowsThat(matches func(*modelFlow) bool) (found []*modelFlow) {
	for _, flow := range h.flows {
		if matches(flow) && !flow.over {
			found = append(found, flow)
		}
	}
	return found
}

func (h *history) answer(t *rapid.T, flow *modelFlow, button string) {
	names := shown(flow.page)
	got := flow.browser.decide(h.replica(t), flow.page, button)
	switch {
	case !h.now().Before(flow.until):
		require.Equal(t, http.StatusForbidden, got.status, "a page that is too old")
		flow.over = true
	case button == "deny":
		h.denied(t, flow, got)
	case flow.back == "":
		require.Equal(t, http.StatusOK, got.status, got.body)
		flow.seen = append(flow.seen, names...)
		h.sentToEntra(flow, onward(got))
	default: // the person has signed in before
		flow.seen = append(flow.seen, names...)
		flow.page = ""
		flow.skipped = false
		h.arrived(t, flow, got)
	}
}

func (h *history) denied(t *rapid.T, flow *modelFlow, got answer) {
	flow.over = true
	if d := flow.device; d != nil {
		if d.waits(h.now()) {
			d.answer = "deny"
		}
		return
	}
	require.Contains(t, onward(got), "error=access_denied")
	require.NotContains(t, onward(got), "code=")
}

// comeBack signs a person in at Entra, or repeats the callback.
func (h *history) comeBack(t *rapid.T) {
	open := h.flowsThat(func(flow *modelFlow) bool {
		return (flow.address != "" || flow.code != nil) && !flow.browser.isFull()
	})
	if len(open) == 0 {
		return
	}
	flow := draw(t, "flow", open)
	if flow.address != "" {
		h.callback(t, flow, h.person(t))
		return
	}
	got := flow.browser.open(h.replica(t), flow.back)
	to := onward(got)
	if strings.Contains(to, "code=") {
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Equal(t, flow.code.text, u.Query().Get("code"), "one sign-in gets one code")
		require.Nil(t, flow.code.grant, "a code that was redeemed is not delivered again")
	}
}

// callback comes back from Entra.
func (h *history) callback(t *rapid.T, flow *modelFlow, person int) {
	back, err := h.entra.signIn(flow.address, person)
	require.NoError(t, err)
	flow.back = "/auth/callback?" + back.Encode()
	flow.address = ""
	if oneIn(t, 8, "another browser") {
		stranger := h.browser().open(h.replica(t), flow.back)
		require.NotEqual(t, http.StatusFound, stranger.status, "another browser")
		require.NotContains(t, stranger.body, "code=")
	}
	got := flow.browser.open(h.replica(t), flow.back)
	if !h.now().Before(flow.until) {
		require.Equal(t, http.StatusBadRequest, got.status, "a callback that is too late")
		flow.over = true
		return
	}
	flow.upstream = &modelUpstream{person: person, expiry: h.now().Add(upstreamLifetime)}
	flow.person = person
	if isConsent(got) {
		h.sawPage(t, flow, got)
		return
	}
	h.arrived(t, flow, got)
}

// arrived records the code, or the approval of a device.
func (h *history) arrived(t *rapid.T, flow *modelFlow, got answer) {
	if flow.device != nil {
		h.approvedDevice(t, flow, got)
		return
	}
	u, err := url.Parse(onward(got))
	require.NoError(t, err)
	text := u.Query().Get("code")
	require.NotEmpty(t, text, got.body)
	require.True(t, strings.HasPrefix(u.String(), flow.program.redirect+"?"))
	require.Equal(t, []string{"state-of-the-program", issuer}, []string{u.Query().Get("state"), u.Query().Get("iss")})
	for _, other := range h.codes {
		require.NotEqual(t, other.text, text)
	}
	h.newCode(t, flow, text)
}

// newCode records a code. Its scopes are those that the person has approved, now or before.
func (h *history) newCode(t *rapid.T, flow *modelFlow, text string) {
	key := consentKey{flow.person, flow.program}
	most := slices.Clone(flow.seen)
	for _, one := range h.consents[key] {
		if flow.skipped && h.now().Before(one.until) {
			most = append(most, one.scope)
		}
	}
	require.True(t, isWithin(flow.scopes, most), "the person has approved %v, and the program gets %v",
		most, flow.scopes)
	for _, g := range h.grants { // what the program has already
		if g.alive(h.now()) && g.program == flow.program && g.person == flow.person {
			most = append(most, g.scopes...)
		}
	}
	flow.code = &modelCode{
		text:     text,
		program:  flow.program,
		person:   flow.person,
		least:    flow.scopes,
		most:     most,
		issued:   h.now(),
		upstream: flow.upstream,
	}
	h.codes = append(h.codes, flow.code)
	flow.program.use(h.now())
	if !flow.skipped {
		for _, scope := range most {
			h.consents[key] = append(h.consents[key], modelConsent{scope, h.now().Add(consentLifetime)})
		}
	}
}
