package acceptance_test

import (
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// redeem redeems a code, in most cases the right way.
func (h *history) redeem(t *rapid.T) {
	if len(h.codes) == 0 {
		return
	}
	code := h.codes[len(h.codes)-1]
	if oneIn(t, 3, "older code") {
		code = draw(t, "code", h.codes)
	}
	h.redeemCode(t, code, h.credential(t, code.program), draw(t, "fault", []string{"", "", "", "", "", "",
		"verifier", "redirect", "code"}))
}

func (h *history) redeemCode(t *rapid.T, code *modelCode, by credential, fault string) {
	form := redemption("", code.program.redirect, code.text)
	switch fault {
	case "verifier":
		form.Set("code_verifier", strings.Repeat("v", 43))
	case "redirect":
		form.Set("redirect_uri", "https://other.example/cb")
	case "code":
		form.Set("code", code.text+"x")
	}
	replica := h.replica(t)
	got := h.token(replica, form, by.apply(form)...)
	if statuses := h.refused(by); statuses != nil {
		require.Contains(t, statuses, got.status)
		return
	}
	now := h.now()
	isOwn := by.program == code.program && fault == ""
	isKnown := now.Before(code.issued.Add(codeMemory)) && !code.deleted
	if isOwn && isKnown && code.grant == nil && now.Before(code.issued.Add(codeLifetime)) {
		require.Equal(t, 200, got.status, "%+v", got)
		code.grant = h.newGrant(t, code.program, code.person, code.upstream, got)
		require.True(t, isWithin(code.least, code.grant.scopes), code.grant.scopes)
		require.True(t, isWithin(code.grant.scopes, code.most), "%v without consent", code.grant.scopes)
		return
	}
	require.Equal(t, []any{400, "invalid_grant", ""}, []any{got.status, got.Error, got.Access})
	if isOwn && isKnown && code.grant != nil {
		h.steal(code.grant, replica)
	}
}

// refreshLatest refreshes with the newest token.
func (h *history) refreshLatest(t *rapid.T) {
	if len(h.refreshes) > 0 {
		presented := h.refreshes[len(h.refreshes)-1]
		h.refreshWith(t, presented, credential{program: h.owners[presented].program}, "")
	}
}

// refresh refreshes with any token, and perhaps another credential or other scopes.
func (h *history) refresh(t *rapid.T) {
	if len(h.refreshes) == 0 {
		return
	}
	presented := draw(t, "refresh token", h.refreshes)
	by := h.credential(t, h.owners[presented].program)
	scope := ""
	if oneIn(t, 3, "scope") {
		scope = draw(t, "scopes", scopeSets)
	}
	h.refreshWith(t, presented, by, scope)
}

func (h *history) refreshWith(t *rapid.T, presented string, by credential, scope string) {
	form := refreshing("", presented)
	if scope != "" {
		form.Set("scope", scope)
	}
	down := oneIn(t, 10, "Entra is down")
	h.entra.disconnect(down)
	replica := h.replica(t)
	got := h.token(replica, form, by.apply(form)...)
	h.entra.disconnect(false)
	if statuses := h.refused(by); statuses != nil {
		require.Contains(t, statuses, got.status)
		return
	}
	want := h.predictRefresh(presented, by, scope, replica, down)
	require.Equal(t, want, got.Error, "%+v", got)
	if want != "" {
		require.Empty(t, got.Access)
		return
	}
	g := h.owners[presented]
	if presented == g.current {
		require.Nil(t, h.owners[got.Refresh], "the successor is new")
		g.rotate(got.Refresh, h.now())
	}
	require.Equal(t, g.current, got.Refresh, "one successor")
	by.program.use(h.now())
	scopes := g.scopes
	if scope != "" {
		scopes = fields(scope)
	}
	h.gotTokens(t, g, got, scopes)
}

// predictRefresh returns the error of a refresh, and changes the model like a refresh that fails.
func (h *history) predictRefresh(presented string, by credential, scope string, replica int, down bool) string {
	g := h.owners[presented]
	now := h.now()
	switch {
	case !g.alive(now), g.program != by.program:
		return "invalid_grant"
	case !isWithin(fields(scope), g.scopes):
		return "invalid_scope"
	case presented == g.previous && now.Sub(g.rotated) < graceLifetime:
		return ""
	case presented != g.current:
		h.steal(g, replica)
		return "invalid_grant"
	}
	isFresh := g.upstream.expiry.Sub(now) >= upstreamMargin
	switch {
	case isFresh:
		return ""
	case down && now.Before(g.upstream.expiry):
		return "" // Entra's token counts until it expires
	case down:
		return "temporarily_unavailable"
	case g.upstream.ended:
		g.end(now, replica)
		return "invalid_grant"
	}
	g.upstream = &modelUpstream{person: g.person, expiry: now.Add(upstreamLifetime)}
	return ""
}

// revoke revokes any token.
func (h *history) revoke(t *rapid.T) {
	if len(h.access) == 0 || !oneIn(t, 2, "really") {
		return
	}
	replica := h.replica(t)
	if oneIn(t, 2, "access token") {
		access := draw(t, "token", h.access)
		by := h.credential(t, access.grant.program)
		// An access token that has just expired may count or not.
		isOver := !h.now().Before(access.expires)
		isSoon := isOver && h.now().Before(access.expires.Add(accessLeeway))
		if isSoon {
			return
		}
		h.revokeToken(t, access.text, access.grant, by, replica, !isOver)
		return
	}
	refresh := draw(t, "token", h.refreshes)
	g := h.owners[refresh]
	h.revokeToken(t, refresh, g, h.credential(t, g.program), replica, true)
}

func (h *history) revokeToken(t *rapid.T, text string, g *modelGrant, by credential, replica int, counts bool) {
	form := url.Values{"token": {text}}
	got := h.post(replica, "/revoke", form, by.apply(form)...)
	if statuses := h.refused(by); statuses != nil {
		require.Contains(t, statuses, got.status)
		return
	}
	require.Equal(t, 200, got.status)
	if by.program == g.program && counts {
		g.end(h.now(), replica)
	}
}

// introspect asks about a token as a resource server or as a program.
func (h *history) introspect(t *rapid.T) {
	if len(h.access) == 0 {
		return
	}
	access := draw(t, "token", h.access)
	replica := h.replica(t)
	form := url.Values{"token": {access.text}}
	want := access.judge(h.now(), replica)
	switch draw(t, "who", []string{"resource server", "resource server", "program", "refresh token"}) {
	case "resource server":
	case "refresh token":
		form.Set("token", access.grant.current)
		want = dead
	case "program":
		by := credential{program: draw(t, "program", h.programs)}
		got := h.read(h.post(replica, "/introspect", form, by.apply(form)...))
		statuses := h.refused(by)
		switch {
		case statuses != nil:
			require.Contains(t, statuses, got.status)
		case by.program.secret == "":
			require.Equal(t, 401, got.status, "a program that cannot authenticate")
		case by.program != access.grant.program:
			require.False(t, got.Active, "another program's token")
		case want != either:
			require.Equal(t, want == alive, got.Active)
		}
		return
	}
	got := h.read(h.post(replica, "/introspect", form, "Authorization", basic(resourceServer, h.secret)))
	require.Equal(t, 200, got.status)
	if want != either {
		require.Equal(t, want == alive, got.Active)
	}
}
