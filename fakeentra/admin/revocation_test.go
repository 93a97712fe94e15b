package admin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// An API under test asks whether a token is still valid.
func TestTokenState(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := newControl(t, fakeentra.Config{Now: func() time.Time { return start }})
	minted := c.ok(t, "POST", "/tokens", `{}`).(map[string]any)["token"].(string)
	state := func() any { return c.ok(t, "POST", "/tokens/state", `{"token": "`+minted+`"}`) }
	assert.Equal(t, map[string]any{"active": true}, state())

	c.ok(t, "POST", "/sessions/revoke",
		`{"user": "`+directory.DefaultUser+`", "event": "password changed", "delay": "5m"}`)
	assert.Equal(t, map[string]any{"active": true}, state())
	c.ok(t, "POST", "/clock", `{"advance": "5m"}`)
	assert.Equal(t, map[string]any{
		"active": false,
		"reason": "password changed",
		"claims": "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTc2NzIyNTkwMCJ9fX0=",
	}, state())
	assert.Equal(t, map[string]any{"active": false, "reason": "foreign"},
		c.ok(t, "POST", "/tokens/state", `{"token": "guess"}`))

	for _, test := range []struct{ path, body, want string }{
		{"/tokens/state", `{}`, "want an access token, got none"},
		{"/sessions/revoke", `{"user": "` + directory.DefaultUser + `", "event": "promoted"}`, "got \\\"promoted\\\""},
		{"/sessions/revoke", `{"user": "` + directory.DefaultUser + `", "delay": "soon"}`, "delay: want a duration"},
		{"/sessions/revoke", `{"user": "` + directory.DefaultUser + `", "delay": "-1s"}`, "want a delay of 0 or more"},
	} {
		got := c.send(t, "POST", test.path, test.body)
		assert.Equal(t, http.StatusBadRequest, got.Code, test.body)
		assert.Contains(t, got.Body.String(), test.want, test.body)
	}
}
