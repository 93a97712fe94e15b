package broker_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/clientip"
	"mcpentra/server/store"
)

func TestEachNetworkHasBudgets(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{perMinute: 5})
	c := e.public()
	for i := range 5 {
		assert.Equal(t, 201, e.registersFrom("192.0.2."+strconv.Itoa(i)+":1"))
		assert.Equal(t, 201, e.registersFrom("[2001:db8:1:"+strconv.Itoa(i)+"::1]:1"))
	}
	assert.Equal(t, 429, e.registersFrom("192.0.2.200:1"), "a /24 is one network")
	assert.Equal(t, 429, e.registersFrom("[::ffff:192.0.2.7]:1"), "the same network, mapped to IPv6")
	assert.Equal(t, 429, e.registersFrom("[2001:db8:1:ffff::1]:1"), "a /48 is one network")
	assert.Equal(t, 201, e.registersFrom("192.0.3.1:1"))
	assert.Equal(t, 201, e.registersFrom("[2001:db8:2::1]:1"))
	assert.Equal(t, 429, e.registersFrom("192.0.2.1:1", "X-Forwarded-For", "198.51.100.1"), "no proxy is trusted here")
	for range 5 {
		assert.Equal(t, 200, e.beginsFrom(c, "192.0.2.1:1"), "sign-ins have a budget of their own")
	}
	assert.Equal(t, 429, e.beginsFrom(c, "192.0.2.1:1"))
	e.later(time.Minute)
	assert.Equal(t, 201, e.registersFrom("192.0.2.1:1"))
	assert.Equal(t, 200, e.beginsFrom(c, "192.0.2.1:1"))
}

func TestClientsBehindProxyAreApart(t *testing.T) {
	t.Parallel()
	proxies, err := clientip.ParseProxies([]string{"10.0.0.0/8"})
	require.NoError(t, err)
	e := newEnv(t, options{perMinute: 5, proxies: proxies})
	for i := range 5 {
		assert.Equal(t, 201, e.registersFrom("10.0.0.1:1", "X-Forwarded-For", strconv.Itoa(i)+".0.0.1, 198.51.100.1"))
	}
	assert.Equal(t, 429, e.registersFrom("10.0.0.1:1", "X-Forwarded-For", "9.0.0.1, 198.51.100.1"))
	assert.Equal(t, 201, e.registersFrom("10.0.0.1:1", "X-Forwarded-For", "203.0.113.1"))
}

// TestRefusedRequestsDoNotCount sends far more bad requests than the budget allows. A page can send
// them with a visitor's browser, and a stranger can send them without any knowledge.
func TestRefusedRequestsDoNotCount(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{perMinute: 3})
	const victim = "192.0.2.1:1"
	c := e.public()
	post := func(body string, headers ...string) int {
		return e.arrives(httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(body)), victim, headers...)
	}
	get := func(query string, headers ...string) int {
		return e.arrives(httptest.NewRequest(http.MethodGet, "/authorize?"+query, nil), victim, headers...)
	}
	good := strings.TrimPrefix(e.request(c), e.origin+"/authorize?")
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
		e.registersFrom(victim, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	}
	assert.Equal(t, 429, e.registersFrom(victim, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"))
	for range 3 {
		assert.Equal(t, 201, e.registersFrom(victim), "the person's own programs")
		assert.Equal(t, 200, get(good, fetched("cross-site", "navigate", "document")...))
	}
	assert.Equal(t, 429, e.registersFrom(victim))
	assert.Equal(t, 429, get(good))
}

// TestBlindFormsDoNotCount lets a page of another site send forms from the browser of a person.
func TestBlindFormsDoNotCount(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{perMinute: 3})
	const victim = "192.0.2.1:1"
	made, status := e.register(`{"client_name":"Tool","token_endpoint_auth_method":"none",` +
		`"grant_types":["urn:ietf:params:oauth:grant-type:device_code"]}`)
	require.Equal(t, http.StatusCreated, status)
	post := func(path string, headers ...string) int {
		form := strings.NewReader("client_id=" + made.ID)
		r := httptest.NewRequest(http.MethodPost, path, form)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return e.arrives(r, victim, headers...)
	}
	for range 20 {
		for _, path := range []string{"/device_authorization", "/token", "/revoke", "/introspect", "/register"} {
			assert.Equal(t, 403, post(path, fetched("cross-site", "no-cors", "empty")...), path)
			assert.Equal(t, 403, post(path, fetched("same-site", "navigate", "document")...), path)
		}
	}
	for range 3 {
		assert.Equal(t, 200, post("/device_authorization", fetched("cross-site", "cors", "empty")...), "a web client")
		assert.Equal(t, 200, post("/device_authorization"), "the person's own programs")
	}
	assert.Equal(t, 429, post("/device_authorization"))
}

// TestFloodPushesOutOwnRecordsOnly makes one network register clients and begin sign-ins until the
// store is full, and one person sign in again and again.
func TestFloodPushesOutOwnRecordsOnly(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{records: 40})
	used := e.public()
	fresh := e.public()
	victims := e.signedIn(used)
	b := e.browser()
	underway := e.browser()
	page := b.get(e.request(fresh), "Sec-Fetch-Site", "none")
	atEntra := e.approve(underway, underway.get(e.request(fresh), "Sec-Fetch-Site", "none"))
	for i := range 60 {
		address := "[2001:db8:1:" + strconv.FormatInt(int64(i), 16) + "::1]:1"
		require.Equal(t, 200, e.beginsFrom(fresh, address))
		require.Equal(t, 201, e.registersFrom(address))
	}
	e.approve(b, page)
	back := underway.get(e.signIn(underway, atEntra, ""))
	assert.NotEmpty(t, back.location(t).Get("code"), "a sign-in that was under way")
	e.signedIn(fresh)

	other := e.browser()
	for range 50 {
		address := e.approve(other, other.get(e.request(fresh), "Sec-Fetch-Site", "none"))
		result := other.get(e.signIn(other, address, e.fake.Tenant().Users[1].UserPrincipalName)).location(t)
		_, status := e.token(redemption(fresh, result.Get("code")))
		require.Equal(t, 200, status)
	}
	_, status := e.token(refreshing(used, victims.Refresh))
	assert.Equal(t, 200, status, "the grant of another person")
}

// A crowdedStore is a full store in which a sign-in of another network begins after each sign-in.
type crowdedStore struct {
	store.Store
	strangers int
}

func (s *crowdedStore) Put(ctx context.Context, record store.Record) (int64, error) {
	version, err := s.Store.Put(ctx, record)
	if record.Kind == "transaction" && record.Version == 0 && err == nil {
		s.strangers++
		_, err = s.Store.Put(ctx, store.Record{
			Kind:    record.Kind,
			Key:     fmt.Sprint("stranger ", s.strangers),
			Source:  fmt.Sprint("network ", s.strangers),
			Expires: record.Expires.Add(time.Hour),
		})
	}
	return version, err
}

// TestCrowdForgetsNoPageInUse approves on a page while the store is full of sign-ins, one of each
// network. The page and the sign-in that follows make two of one network for a moment.
func TestCrowdForgetsNoPageInUse(t *testing.T) {
	t.Parallel()
	kept := &crowdedStore{Store: store.NewMemory(store.Config{Now: func() time.Time { return started }, MaxRecords: 3})}
	e := newEnv(t, options{store: kept})
	b := e.browser()
	page := b.get(e.request(e.public()))
	back := b.get(e.signIn(b, e.approve(b, page), ""))
	assert.NotEmpty(t, back.location(t).Get("code"))
}
