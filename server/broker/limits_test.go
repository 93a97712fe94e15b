package broker_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
)

const registrationBody = `{"redirect_uris":["` + loopback + `"],"token_endpoint_auth_method":"none"}`

// arrives lets a request reach the broker from an address, and returns the status.
func (w *world) arrives(r *http.Request, address string, headers ...string) int {
	r.RemoteAddr = address
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.broker.ServeHTTP(answer, r)
	return answer.Code
}

func (w *world) registersFrom(address string, headers ...string) int {
	r := httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(registrationBody))
	r.Header.Set("Content-Type", "application/json")
	return w.arrives(r, address, headers...)
}

func (w *world) beginsFrom(c registered, address string, headers ...string) int {
	return w.arrives(httptest.NewRequest(http.MethodGet, w.request(c), nil), address, headers...)
}

// fetched are the headers of Fetch Metadata.
func fetched(site, mode, destination string) []string {
	return []string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", destination}
}

func TestEachNetworkHasItsBudgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{perMinute: 5})
	c := w.public()
	for i := range 5 {
		assert.Equal(t, 201, w.registersFrom("192.0.2."+strconv.Itoa(i)+":1"))
		assert.Equal(t, 201, w.registersFrom("[2001:db8:1:"+strconv.Itoa(i)+"::1]:1"))
	}
	assert.Equal(t, 429, w.registersFrom("192.0.2.200:1"), "a /24 is one network")
	assert.Equal(t, 429, w.registersFrom("[::ffff:192.0.2.7]:1"), "so it is when its addresses are mapped to IPv6")
	assert.Equal(t, 429, w.registersFrom("[2001:db8:1:ffff::1]:1"), "a /48 is one network")
	assert.Equal(t, 201, w.registersFrom("192.0.3.1:1"))
	assert.Equal(t, 201, w.registersFrom("[2001:db8:2::1]:1"))
	assert.Equal(t, 429, w.registersFrom("192.0.2.1:1", "X-Forwarded-For", "198.51.100.1"), "nobody is trusted here")
	for range 5 {
		assert.Equal(t, 200, w.beginsFrom(c, "192.0.2.1:1"), "sign-ins have a budget of their own")
	}
	assert.Equal(t, 429, w.beginsFrom(c, "192.0.2.1:1"))
	w.later(time.Minute)
	assert.Equal(t, 201, w.registersFrom("192.0.2.1:1"))
	assert.Equal(t, 200, w.beginsFrom(c, "192.0.2.1:1"))
}

func TestClientsBehindAProxyAreApart(t *testing.T) {
	t.Parallel()
	proxies, err := clientip.ParseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	w := newWorld(t, options{perMinute: 5, proxies: proxies})
	for i := range 5 {
		assert.Equal(t, 201, w.registersFrom("10.0.0.1:1", "X-Forwarded-For", strconv.Itoa(i)+".0.0.1, 198.51.100.1"))
	}
	assert.Equal(t, 429, w.registersFrom("10.0.0.1:1", "X-Forwarded-For", "9.0.0.1, 198.51.100.1"))
	assert.Equal(t, 201, w.registersFrom("10.0.0.1:1", "X-Forwarded-For", "203.0.113.1"))
}

// TestRefusedRequestsCountForNothing sends what a page can send with a visitor's browser, or a
// stranger without knowing anything, far more often than the budget allows.
func TestRefusedRequestsCountForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{perMinute: 3})
	const victim = "192.0.2.1:1"
	c := w.public()
	post := func(body string, headers ...string) int {
		return w.arrives(httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(body)), victim, headers...)
	}
	get := func(query string, headers ...string) int {
		return w.arrives(httptest.NewRequest(http.MethodGet, "/authorize?"+query, nil), victim, headers...)
	}
	good := strings.TrimPrefix(w.request(c), w.origin+"/authorize?")
	for range 20 {
		assert.Equal(t, 415, post(registrationBody, "Content-Type", "text/plain", "Sec-Fetch-Site", "cross-site"))
		assert.Equal(t, 415, post(registrationBody))
		assert.Equal(t, 400, post("{", "Content-Type", "application/json"))
		assert.Equal(t, 400, post(`{"redirect_uris":["ftp://x"]}`, "Content-Type", "application/json"))
		assert.Equal(t, 400, get("client_id=x"))
		assert.Equal(t, 400, get(good+"&redirect_uri=x"), "a parameter twice")
		assert.Equal(t, 403, get(good, fetched("cross-site", "no-cors", "image")...))
		assert.Equal(t, 403, get(good, fetched("cross-site", "navigate", "iframe")...))
		assert.Equal(t, 403, get(good, fetched("same-site", "cors", "empty")...))
	}
	for range 20 {
		w.registersFrom(victim, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	}
	assert.Equal(t, 429, w.registersFrom(victim, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"))
	for range 3 {
		assert.Equal(t, 201, w.registersFrom(victim), "the person's own programs")
		assert.Equal(t, 200, get(good, fetched("cross-site", "navigate", "document")...))
	}
	assert.Equal(t, 429, w.registersFrom(victim))
	assert.Equal(t, 429, get(good))
}

// TestAFloodPushesOutItsOwnRecordsAlone fills the tables of clients and of sign-ins under way from
// one network, and with the clients that one person has signed in with.
func TestAFloodPushesOutItsOwnRecordsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{records: 40})
	used := w.public()
	fresh := w.public()
	held := w.signedIn(used)
	b := w.browser()
	underway := w.browser()
	page := b.get(w.request(fresh), "Sec-Fetch-Site", "none")
	atEntra := w.approve(underway, underway.get(w.request(fresh), "Sec-Fetch-Site", "none"))
	for i := range 60 {
		address := "[2001:db8:1:" + strconv.FormatInt(int64(i), 16) + "::1]:1"
		require.Equal(t, 200, w.beginsFrom(fresh, address))
		require.Equal(t, 201, w.registersFrom(address))
	}
	w.approve(b, page)
	back := underway.get(w.signIn(underway, atEntra, ""))
	assert.NotEmpty(t, back.location(t).Get("code"), "a sign-in that was under way")
	w.signedIn(fresh)

	other := w.browser()
	for range 50 {
		address := w.approve(other, other.get(w.request(fresh), "Sec-Fetch-Site", "none"))
		result := other.get(w.signIn(other, address, w.fake.Tenant().Users[1].UserPrincipalName)).location(t)
		_, status := w.token(redemption(fresh, result.Get("code")))
		require.Equal(t, 200, status)
	}
	_, status := w.token(refreshing(used, held.Refresh))
	assert.Equal(t, 200, status, "the grant of another person")
}
