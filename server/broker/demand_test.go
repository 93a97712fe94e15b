package broker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/fault"
)

// returns goes through the fake's pages, and returns the broker's answer to the callback.
func (e *env) returns(b *browser, address string) answer {
	back := b.get(e.signIn(b, address, ""))
	require.Equal(e.t, http.StatusFound, back.status, back.body)
	return back
}

// atEntra returns the parameters of an answer that sends the browser to Entra.
func (e *env) atEntra(a answer) url.Values {
	e.t.Helper()
	to := a.header.Get("Location")
	require.Contains(e.t, to, e.fake.URL, a.body)
	return a.location(e.t)
}

// demanded signs in with a browser, and lets Entra demand something at the next refresh.
func (e *env) demanded(b *browser, c registered, number int) {
	e.t.Helper()
	got, status := e.redeemedAt(c, appURI, e.code(c, b, "redirect_uri", appURI).Get("code"))
	require.Equal(e.t, 200, status, got.Error)
	e.later(100 * time.Minute)
	e.fake.InjectFor(e.t, fault.Fault{Grant: "refresh_token", AADSTS: number})
	refused, status := e.token(refreshing(c, got.Refresh))
	require.Equal(e.t, 400, status)
	require.Equal(e.t, "invalid_grant", refused.Error)
	_, err := e.broker.UpstreamToken(e.t.Context(), grantIDOf(got.Refresh))
	require.Error(e.t, err, "the grant has ended")
}

// TestDemandEndsInOneClick lets Entra demand something at a refresh. The person follows the link of
// the client, and is back with a code after the pages of Entra alone.
func TestDemandEndsInOneClick(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]struct{ claims, prompt string }{
		50076: {claims: "capolids"},
		50079: {claims: "capolids"},
		53003: {claims: "capolids"},
		65001: {},
		70043: {prompt: "login"},
	} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{})
			c := e.public(appURI)
			b := e.browser()
			e.demanded(b, c, number)

			begun := b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none")
			asked := e.atEntra(begun)
			assert.Contains(t, asked.Get("claims"), want.claims)
			assert.Equal(t, want.claims != "", asked.Has("claims"))
			assert.Equal(t, want.prompt, asked.Get("prompt"))
			assert.Equal(t, directory.DefaultUser, asked.Get("login_hint"))
			back := e.returns(b, begun.header.Get("Location")).location(t)
			got, status := e.redeemedAt(c, appURI, back.Get("code"))
			require.Equal(t, 200, status, got.Error)

			// The demand is met, so the next sign-in is an ordinary one.
			asked = e.atEntra(b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
			assert.False(t, asked.Has("claims"))
			assert.False(t, asked.Has("prompt"))
			assert.False(t, asked.Has("login_hint"))
		})
	}
}

// TestDemandIsMetInSecondTrip begins the next sign-in in a browser without a session. The first
// trip to Entra shows who the person is, and the second follows by itself.
func TestDemandIsMetInSecondTrip(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	e.demanded(e.browser(), c, 50076)

	b := e.browser()
	to := e.approve(b, b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
	first, err := url.Parse(to)
	require.NoError(t, err)
	assert.False(t, first.Query().Has("claims"))
	callback := e.signIn(b, to, "")
	second := b.get(callback)
	asked := e.atEntra(second)
	assert.Contains(t, asked.Get("claims"), "capolids")
	assert.Equal(t, directory.DefaultUser, asked.Get("login_hint"))
	again := b.get(callback)
	assert.Equal(t, second.header.Get("Location"), again.header.Get("Location"), "a second click goes the same way")
	back := e.returns(b, second.header.Get("Location")).location(t)
	_, status := e.redeemedAt(c, appURI, back.Get("code"))
	assert.Equal(t, 200, status)
}

// TestDemandIsOfOnePersonAndClient signs in as another person and at another client.
func TestDemandIsOfOnePersonAndClient(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	e.demanded(e.browser(), c, 50076)
	other := e.named("Other", appURI)
	b := e.browser()
	to := e.approve(b, b.get(e.request(other, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
	assert.NotEmpty(t, e.returns(b, to).location(t).Get("code"))

	b = e.browser()
	to = e.approve(b, b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
	back := b.get(e.signIn(b, to, e.fake.Tenant().Users[1].UserPrincipalName))
	require.Equal(t, http.StatusFound, back.status, back.body)
	assert.NotEmpty(t, back.location(t).Get("code"))
}

// TestDemandNeedsPage sends prompt=none while Entra wants something from the person.
func TestDemandNeedsPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	b := e.browser()
	e.demanded(b, c, 70043)
	begun := b.get(e.request(c, "redirect_uri", appURI, "prompt", "none"), "Sec-Fetch-Site", "none")
	back := begun
	if asked := begun.location(t); asked.Get("prompt") == "none" {
		back = e.returns(b, begun.header.Get("Location"))
	}
	assert.Equal(t, "interaction_required", back.location(t).Get("error"))
}

// TestChallengeOfGraphReachesSignIn lets an API refuse the upstream token.
func TestChallengeOfGraphReachesSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public(appURI)
	b := e.browser()
	got, status := e.redeemedAt(c, appURI, e.code(c, b, "redirect_uri", appURI).Get("code"))
	require.Equal(t, 200, status)
	const claims = `{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}`
	require.NoError(t, e.broker.Challenge(t.Context(), e.grantOf(got.Access), claims))
	assert.False(t, e.good(got.Access), "the client lets the person sign in again")
	asked := e.atEntra(b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
	assert.Equal(t, claims, asked.Get("claims"))
}

// TestRefusalsTellWhatToAskFor lets Entra refuse for reasons that only an administrator removes.
func TestRefusalsTellWhatToAskFor(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{50105: "assign you", 90094: "consent to the permissions"} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, options{})
			c := e.public(appURI)
			b := e.browser()
			to := e.approve(b, b.get(e.request(c, "redirect_uri", appURI), "Sec-Fetch-Site", "none"))
			target, err := url.Parse(to)
			require.NoError(t, err)
			description := fmt.Sprintf("AADSTS%d: sentence of Entra about adele", number)
			answer := b.get(e.origin + "/auth/callback?" + url.Values{
				"state":             {target.Query().Get("state")},
				"error":             {"access_denied"},
				"error_description": {description},
			}.Encode())
			assert.Contains(t, answer.body, want)
			assert.Contains(t, answer.body, "administrator of your organization")
			assert.NotContains(t, answer.body, "declined")
			assert.NotContains(t, answer.body, "adele")
			query := offered(t, answer)
			assert.Equal(t, "access_denied", query.Get("error"))
			assert.Contains(t, query.Get("error_description"), want)
		})
	}
}

// TestLostAssignmentEndsGrant takes the person's assignment to the application away.
func TestLostAssignmentEndsGrant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	got := e.signedIn(c)
	e.later(100 * time.Minute)
	e.fake.InjectFor(t, fault.Fault{Grant: "refresh_token", AADSTS: 50105})
	answer := e.browser().post(e.origin+"/token", refreshing(c, got.Refresh))
	assert.Equal(t, 400, answer.status)
	assert.Contains(t, answer.body, "invalid_grant")
	assert.Contains(t, answer.body, "ask an administrator of your organization to assign you")
	assert.False(t, e.good(got.Access))
}
