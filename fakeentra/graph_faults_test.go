package fakeentra_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
)

// A fault with a path throttles this path of Graph alone, and also inside a batch.
func TestFaultsOfOnePath(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	bearer, err := fake.Mint(fakeentra.Token{
		Kind:   fakeentra.GraphToken,
		Scopes: []string{"User.Read", "User.Read.All"},
	})
	require.NoError(t, err)
	require.NoError(t, fake.Inject(fault.Fault{
		On:         endpoint.Graph,
		Path:       "/*/me",
		Status:     http.StatusTooManyRequests,
		RetryAfter: 7 * time.Second,
		Times:      2,
	}))
	assert.Equal(t, http.StatusOK, askGraph(t, fake, bearer, http.MethodGet, "/v1.0/users", "").Status)
	throttled := askGraph(t, fake, bearer, http.MethodGet, "/v1.0/me", "")
	assert.Equal(t, http.StatusTooManyRequests, throttled.Status)
	assert.Equal(t, "7", throttled.Header.Get("Retry-After"))
	problem, _ := throttled.JSON["error"].(map[string]any)
	assert.Equal(t, "TooManyRequests", problem["code"])
	assert.Equal(t, throttled.Header.Get("request-id"), problem["innerError"].(map[string]any)["request-id"])

	const requests = `{"requests":[{"id":"1","method":"GET","url":"/me"},{"id":"2","method":"GET","url":"/users"}]}`
	for _, want := range []int{http.StatusTooManyRequests, http.StatusOK} {
		batch := askGraph(t, fake, bearer, http.MethodPost, "/v1.0/$batch", requests)
		require.Equal(t, http.StatusOK, batch.Status, batch.Body)
		responses, _ := batch.JSON["responses"].([]any)
		require.Len(t, responses, 2)
		first, _ := responses[0].(map[string]any)
		assert.InDelta(t, want, first["status"], 0, batch.Body)
		header, _ := first["headers"].(map[string]any)
		assert.Equal(t, want != http.StatusOK, header["Retry-After"] == "7")
		second, _ := responses[1].(map[string]any)
		assert.InDelta(t, http.StatusOK, second["status"], 0)
	}
	assert.Error(t, fake.Inject(fault.Fault{Path: "me", Drop: true}))
	assert.Error(t, fake.Inject(fault.Fault{Path: "/[", Drop: true}))
}
