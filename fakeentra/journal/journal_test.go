package journal_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/journal"
)

func exchange(on endpoint.Name, client string) journal.Exchange {
	return journal.Exchange{
		Endpoint: on,
		Client:   client,
		Status:   200,
		Request:  httptest.NewRequest(http.MethodPost, "/", nil),
	}
}

func TestTakeGivesEachRequestOnce(t *testing.T) {
	t.Parallel()
	j := journal.New()
	j.Add(exchange(endpoint.Token, "a"))
	j.Add(exchange(endpoint.Keys, ""))
	j.Add(exchange(endpoint.Token, "b"))
	for _, want := range []string{"a", "b"} {
		got, err := j.Take(t.Context(), journal.Filter{Endpoint: endpoint.Token})
		require.NoError(t, err)
		assert.Equal(t, want, got.Client)
	}
	assert.Equal(t, 1, j.Count(journal.Filter{}))
	j.Clear()
	assert.Equal(t, 0, j.Count(journal.Filter{}))
}

func TestTakeWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := journal.New()
		go func() {
			time.Sleep(time.Second)
			j.Add(exchange(endpoint.Keys, ""))
			time.Sleep(time.Second)
			j.Add(exchange(endpoint.Token, ""))
		}()
		began := time.Now()
		_, err := j.Take(t.Context(), journal.Filter{Endpoint: endpoint.Token})
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = j.Take(ctx, journal.Filter{Endpoint: endpoint.Token})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Whatever way a secret takes, it is in no entry.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/token?id_token_hint=SECRET", nil)
	r.SetBasicAuth("the-client", "SECRET")
	r.AddCookie(&http.Cookie{Name: "ESTSAUTH", Value: "SECRET"})
	form := url.Values{}
	for _, name := range []string{
		"access_token",
		"assertion",
		"client_assertion",
		"client_secret",
		"code",
		"code_verifier",
		"device_code",
		"id_token",
		"password",
		"refresh_token",
		"user_code",
	} {
		form.Set(name, "SECRET")
	}
	j := journal.New()
	j.Add(journal.Exchange{
		Endpoint: endpoint.Token,
		Request:  r,
		Form:     form,
		Status:   200,
		Header: http.Header{
			"Location":     {"/?code=SECRET&a=b#id_token=SECRET"},
			"Content-Type": {"application/json"},
			"Set-Cookie":   {"x=SECRET"},
		},
		Body: []byte(`{"access_token":"SECRET","refresh_token":"SEC\"RET","list":[{"id_token":"SECRET"}],` +
			`"left":"as \":\" it is"}`),
	})
	bearer := httptest.NewRequest(http.MethodGet, "/v1.0/me", nil)
	bearer.Header.Set("Authorization", "Bearer SECRET")
	j.Add(journal.Exchange{Endpoint: endpoint.Graph, Request: bearer, Status: 200})
	odd := httptest.NewRequest(http.MethodGet, "/v1.0/me", nil)
	odd.Header.Set("Authorization", "SECRET")
	j.Add(journal.Exchange{Endpoint: endpoint.Graph, Request: odd, Status: 401})
	text := fmt.Sprintf("%+v\n%s", j.Entries(journal.Filter{}), j)
	assert.NotContains(t, text, "SECRET")
	assert.NotContains(t, text, `SEC\"RET`)
	assert.Contains(t, text, "Basic the-client:[")
	assert.Contains(t, text, `"left":"as \":\" it is"`)
	assert.NotEmpty(t, form.Get("code"), "the request itself is left alone")
	assert.Equal(t, "SECRET", form.Get("code"))
}

// A secret has the number of its place in the record, at any time of reading.
func TestNumbersDoNotDependOnWhoAsksWhen(t *testing.T) {
	t.Parallel()
	record := func(asked func(*journal.Journal)) string {
		j := journal.New()
		for i := range 20 {
			x := exchange(endpoint.Token, "")
			x.Form = url.Values{"code": {fmt.Sprint("code ", i)}, "refresh_token": {fmt.Sprint("token ", i/2)}}
			if i == 10 {
				x.Form.Set("scope", strings.Repeat("x", 100_000)) // more than the journal keeps unread
			}
			x.Header = http.Header{"Content-Type": {"application/json"}}
			x.Body = fmt.Appendf(nil, `{"access_token":"%d","refresh_token":"token %d","token_type":"Bearer"}`, i, i/2)
			j.Add(x)
			asked(j)
		}
		return j.String()
	}
	late := record(func(*journal.Journal) {})
	early := record(func(j *journal.Journal) { j.Count(journal.Filter{Status: 500}) })
	assert.Equal(t, late, early)
	assert.Contains(t, late, "code=[code 20]")
	assert.Contains(t, late, `"refresh_token":"[refresh_token 10]"`)
}

// A malformed or truncated answer gives no secret away.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body string
		want string
	}{
		{`{"access_token":"SECRET`, ""},
		{`{"access_token":"SECRET\`, ""},
		{`{"access_token":""}`, `{"access_token":""}`},
		{`"access_token":"SECRET"`, ""},
		{`["id_token":"SECRET"]`, ""},
		{`{"x":":\"id_token\":\"","a":1}`, `{"x":":\"id_token\":\"","a":1}`},
		{``, ""},
	} {
		j := journal.New()
		x := exchange(endpoint.Token, "")
		x.Header = http.Header{"Content-Type": {"application/json"}}
		x.Body = []byte(test.body)
		j.Add(x)
		assert.Equal(t, test.want, j.Entries(journal.Filter{})[0].Answer, test.body)
	}
}

func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	j := journal.New()
	many := url.Values{"scope": {strings.Repeat("x", 100_000)}}
	for i := range 500 {
		many.Set(fmt.Sprintf("p%d", i), "v")
	}
	for range journal.Capacity + 10 {
		x := exchange(endpoint.Token, "")
		x.Form = many
		j.Add(x)
	}
	entries := j.Entries(journal.Filter{})
	require.Len(t, entries, journal.Capacity)
	assert.Equal(t, 11, entries[0].Number)
	assert.LessOrEqual(t, len(entries[0].Form), 100)
	assert.Less(t, len(entries[0].Form.Get("scope")), 2100)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	e := journal.Entry{
		Endpoint: endpoint.Token,
		Client:   "AB",
		Grant:    "password",
		Path:     "/t/oauth2/token",
		Status:   400,
		AADSTS:   50126,
	}
	for _, yes := range []journal.Filter{
		{},
		{Endpoint: endpoint.Token},
		{Client: "ab"},
		{Grant: "password"},
		{Path: "/t/"},
		{Status: 400},
		{AADSTS: 50126},
	} {
		assert.True(t, yes.Matches(e), yes)
	}
	for _, no := range []journal.Filter{
		{Endpoint: endpoint.Keys},
		{Client: "x"},
		{Grant: "x"},
		{Path: "/u/"},
		{Status: 200},
		{AADSTS: 1},
	} {
		assert.False(t, no.Matches(e), no)
	}
}
