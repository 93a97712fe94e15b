package entra_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/entra"
)

// invalidGrant returns an answer of Entra's with a number.
func invalidGrant(number int) map[string]any {
	return map[string]any{
		"error":             "invalid_grant",
		"error_description": fmt.Sprintf("AADSTS%d: x", number),
		"error_codes":       []int{number},
	}
}

// pausingIssuer returns an issuer with a clock that a test sets forward, and a client of it.
func pausingIssuer(t *testing.T) (issuer *issuer, client *entra.Client, later func(time.Duration)) {
	t.Helper()
	issuer = newIssuer(t)
	var offset atomic.Int64
	cfg := issuer.config()
	cfg.Now = func() time.Time { return noon.Add(time.Duration(offset.Load())) }
	return issuer, newClient(t, cfg), func(d time.Duration) { offset.Add(int64(d)) }
}

func refresh(t *testing.T, client *entra.Client, token string) error {
	t.Helper()
	_, err := client.Refresh(t.Context(), token, []string{"User.Read"})
	return err
}

var goodTokens = map[string]any{"token_type": "Bearer", "access_token": "new", "expires_in": 3600}

func TestThrottledEndpointIsLeftAlone(t *testing.T) {
	t.Parallel()
	issuer, client, later := pausingIssuer(t)
	issuer.token = writing(429, "Too Many Requests", "Retry-After", "60")
	require.Error(t, refresh(t, client, "a"))
	require.EqualValues(t, 1, issuer.requests("token"))

	issuer.token = answering(200, goodTokens)
	later(50 * time.Second)
	var unavailable *entra.UnavailableError
	require.ErrorAs(t, refresh(t, client, "b"), &unavailable)
	assert.Equal(t, 10*time.Second, unavailable.RetryAfter)
	_, err := client.Redeem(t.Context(), entra.Redemption{Code: "c", Verifier: "v", Nonce: "n"})
	require.ErrorAs(t, err, &unavailable, "a person does not wait that long at the browser")
	assert.EqualValues(t, 1, issuer.requests("token"), "no request before the time has passed")

	later(10 * time.Second)
	require.NoError(t, refresh(t, client, "b"))
}

func TestLoopOfOnePersonPausesNoOther(t *testing.T) {
	t.Parallel()
	issuer, client, later := pausingIssuer(t)
	issuer.token = answering(400, invalidGrant(50196))
	var unavailable *entra.UnavailableError
	require.ErrorAs(t, refresh(t, client, "a"), &unavailable)
	issuer.token = answering(200, goodTokens)
	require.ErrorAs(t, refresh(t, client, "a"), &unavailable)
	require.NoError(t, refresh(t, client, "b"))
	later(time.Minute)
	require.NoError(t, refresh(t, client, "a"))
}

func TestSignInWaitsForShortPause(t *testing.T) {
	t.Parallel()
	issuer, client, _ := pausingIssuer(t)
	idToken := issuer.idToken(t, nil)
	var asked atomic.Int32
	issuer.token = func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			writing(503, "", "Retry-After", "1")(w, r)
			return
		}
		answer(w, 200, map[string]any{
			"token_type":   "Bearer",
			"access_token": "graph",
			"expires_in":   3600,
			"id_token":     idToken,
		})
	}
	_, err := client.Redeem(t.Context(), entra.Redemption{Code: "code", Verifier: "verifier", Nonce: "nonce"})
	require.NoError(t, err)
	assert.EqualValues(t, 2, asked.Load())
}

func TestThrottledDiscoveryIsLeftAlone(t *testing.T) {
	t.Parallel()
	asked := 0
	issuer := newIssuer(t)
	cfg := issuer.config()
	cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		answer := respond(r, nil)
		answer.StatusCode = http.StatusServiceUnavailable
		answer.Header.Set("Retry-After", "60")
		return answer, nil
	})}
	client := newClient(t, cfg)
	for range 3 {
		require.Error(t, client.Check(t.Context()))
	}
	assert.Equal(t, 1, asked)
}

func TestThrottledGraphPausesOnePerson(t *testing.T) {
	t.Parallel()
	issuer, client, _ := pausingIssuer(t)
	issuer.graph = writing(429, `{"error":{"code":"TooManyRequests","message":"x"}}`, "Retry-After", "30")
	_, err := client.Me(t.Context(), "token of a")
	var graph *entra.GraphError
	require.ErrorAs(t, err, &graph)
	issuer.graph = answering(200, map[string]any{"id": "b", "displayName": "B"})
	var unavailable *entra.UnavailableError
	_, err = client.Me(t.Context(), "token of a")
	require.ErrorAs(t, err, &unavailable)
	assert.Equal(t, 30*time.Second, unavailable.RetryAfter)
	_, err = client.Me(t.Context(), "token of b")
	require.NoError(t, err)
}
