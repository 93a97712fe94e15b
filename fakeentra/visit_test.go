package fakeentra_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// onClient serves the client's redirect URI, and passes everything else to the fake.
func onClient(fake *fakeentra.Fake) http.RoundTripper {
	client := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>The client</title>"))
	})
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "localhost:8000" {
			return fake.Client().Transport.RoundTrip(r)
		}
		answer := httptest.NewRecorder()
		client.ServeHTTP(answer, r)
		response := answer.Result()
		response.Request = r
		return response, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The scripted browser knows the fake's error pages, although their status is 200.
func TestVisitEndsAtErrorPages(t *testing.T) {
	t.Parallel()
	const alex = "AlexW@" + directory.DefaultDomain
	for _, test := range []struct {
		name    string
		person  useragent.Browser
		changes map[string]string
		number  int
	}{
		{
			name:    "an unknown redirect URI",
			changes: map[string]string{"redirect_uri": callback + "/other"},
			number:  50011,
		},
		{name: "an unknown client", changes: map[string]string{"client_id": directory.DefaultUserID}, number: 700016},
		{name: "no client", changes: map[string]string{"client_id": ""}, number: 900144},
		{name: "an unknown person", person: useragent.Browser{User: "x@" + directory.DefaultDomain}, number: 50034},
		{name: "a wrong password", person: useragent.Browser{User: alex, Password: "battery staple"}, number: 50126},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := newFake(t, fakeentra.Config{})
			test.person.Transport = onClient(fake)
			_, err := test.person.Visit(t.Context(), tenantURL+"/oauth2/v2.0/authorize?"+request(test.changes).Encode())
			var refused *useragent.PageError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.number, refused.Number)
			assert.Equal(t, http.StatusOK, refused.Page.Status)
		})
	}
}

// A person who declines is never signed in: not at a consent page, not at a client that needs no
// consent, and not where the fake shows no page.
func TestVisitThatDeclines(t *testing.T) {
	t.Parallel()
	withoutConsent := map[string]string{
		"client_id":    directory.DefaultAPIID,
		"scope":        apiScope,
		"redirect_uri": "http://localhost:8000",
	}
	for name, changes := range map[string]map[string]string{"with consent": nil, "without consent": withoutConsent} {
		fake := newFake(t, fakeentra.Config{})
		person := useragent.Browser{Deny: true, Transport: onClient(fake)}
		page, err := person.Visit(t.Context(), tenantURL+"/oauth2/v2.0/authorize?"+request(changes).Encode())
		require.NoError(t, err, name)
		require.Equal(t, "The client", page.Title, name)
		assert.Equal(t, "access_denied", page.URL.Query().Get("error"), name)
		assert.Equal(t, "a state/with+signs", page.URL.Query().Get("state"), name)
	}
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	person := useragent.Browser{Deny: true, Transport: onClient(fake)}
	_, err := person.Visit(t.Context(), tenantURL+"/oauth2/v2.0/authorize?"+request(nil).Encode())
	require.ErrorIs(t, err, useragent.ErrNothingToDecline)
}
