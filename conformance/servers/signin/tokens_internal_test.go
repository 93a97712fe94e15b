package signin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTokenOutlivesCheck refreshes a token that ends before the deadline of a check.
func TestTokenOutlivesCheck(t *testing.T) {
	t.Parallel()
	const life = 10 * time.Minute
	for name, test := range map[string]struct {
		left, deadline time.Duration // or 0
		refuses        bool          // the server refuses to refresh
		want           string        // or "" for an error
	}{
		"a new token":                    {life, 7 * time.Minute, false, "first"},
		"more than half of its life":     {301 * time.Second, 7 * time.Minute, false, "first"},
		"a long check":                   {299 * time.Second, 7 * time.Minute, false, "second"},
		"a long check, and no refresh":   {299 * time.Second, 7 * time.Minute, true, "first"},
		"a short check":                  {2 * time.Minute, time.Minute, false, "first"},
		"a check that could take longer": {59 * time.Second, time.Minute, false, "second"},
		"the end of a check":             {30 * time.Second, 10 * time.Second, false, "second"},
		"no deadline":                    {time.Minute, 0, false, "first"},
		"no deadline, and it ends soon":  {30 * time.Second, 0, false, "second"},
		"it ends soon, and no refresh":   {30 * time.Second, 0, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.refuses {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"access_token":"second","token_type":"Bearer","expires_in":600}`))
			}))
			t.Cleanup(server.Close)
			ctx := t.Context()
			if test.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.deadline)
				defer cancel()
			}
			g := &grant{flow: &flow{signIn: &SignIn{}}, issued: time.Now().Add(test.left - life)}
			g.flow.issuer.Token = server.URL
			g.answer = tokenResponse{AccessToken: "first", RefreshToken: "r", ExpiresIn: life.Seconds()}
			token, err := g.good(ctx)
			assert.Equal(t, test.want, token)
			if test.want == "" {
				assert.Error(t, err)
				return
			}
			require.NoError(t, err)
		})
	}
}
