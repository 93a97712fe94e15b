package server_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
)

// A person uses tools through the client of this module.
type person struct {
	t      *testing.T
	s      *env
	http   *http.Client
	visits atomic.Int32 // in the browser
}

func newPerson(t *testing.T, s *env) *person {
	t.Helper()
	p := &person{t: t, s: s}
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	browser := useragent.Browser{}
	signedIn, err := client.New(client.Config{
		Server: s.origin + "/mcp",
		Base:   base,
		// A demand waits for the same client. If another program took the port between two
		// sign-ins, the client would register again.
		RedirectURI: "http://localhost:" + loopbacktest.Port(t) + "/callback",
		Browser: func(ctx context.Context, page string) error {
			p.visits.Add(1)
			_, err := browser.Visit(ctx, page)
			return err
		},
	})
	require.NoError(t, err)
	p.http = &http.Client{Transport: signedIn}
	return p
}

// asksName calls get_user_name, and returns the answer.
func (p *person) asksName() string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(
		p.t.Context(),
		http.MethodPost,
		p.s.origin+"/mcp",
		strings.NewReader(callUserName),
	)
	require.NoError(p.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	answer, err := p.http.Do(request)
	require.NoError(p.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(p.t, err)
	return string(body)
}

// claimsAtEntra returns the claims of the last sign-in at the fake.
func (p *person) claimsAtEntra() string {
	all := p.s.fake.Journal().Entries(journal.Filter{Endpoint: endpoint.Authorize})
	require.NotEmpty(p.t, all)
	return all[len(all)-1].Query.Get("claims")
}

// TestChallengeOfGraphEndsInOneClick lets Graph refuse a tool's token with a claims challenge. The
// client's next call sends the person to the browser once, and the tool then answers.
func TestChallengeOfGraphEndsInOneClick(t *testing.T) {
	t.Parallel()
	s := newEnv(t, nil)
	p := newPerson(t, s)
	require.Contains(t, p.asksName(), "Adele Vance")
	const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	s.fake.InjectFor(t, fault.Fault{
		On:     endpoint.Graph,
		Status: http.StatusUnauthorized,
		Body:   `{"error":{"code":"InvalidAuthenticationToken","message":"x"}}`,
		Header: map[string]string{
			"WWW-Authenticate": `Bearer realm="", error="insufficient_claims", claims="` +
				base64.StdEncoding.EncodeToString([]byte(claims)) + `"`,
		},
	})
	assert.Contains(t, p.asksName(), "sign in again, and do what Microsoft asks")
	assert.Contains(t, p.asksName(), "Adele Vance")
	assert.EqualValues(t, 2, p.visits.Load())
	assert.Equal(t, claims, p.claimsAtEntra())
}

// TestSecondFactorOfToolEndsInOneClick lets Entra demand a second factor when a tool needs a new
// Graph token.
func TestSecondFactorOfToolEndsInOneClick(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	fake := fakeentra.NewServer(fakeentra.Config{Now: now})
	t.Cleanup(fake.Close)
	s := newEnvOf(t, fake, func(config *server.Config) { config.Now = now })
	p := newPerson(t, s)
	require.Contains(t, p.asksName(), "Adele Vance")
	offset.Store(int64(100 * time.Minute))
	fake.InjectFor(t, fault.Fault{Grant: "refresh_token", AADSTS: 50076})
	assert.Contains(t, p.asksName(), "Adele Vance", "the refresh fails, and the client lets the person sign in")
	assert.EqualValues(t, 2, p.visits.Load())
	assert.Contains(t, p.claimsAtEntra(), "capolids")
}
