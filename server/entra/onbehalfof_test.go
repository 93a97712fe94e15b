package entra_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
	"mcpentra/server/identity"
)

func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	var requests atomic.Int32
	cfg := apiConfig(fake)
	cfg.HTTPClient = counting(fake, &requests)
	var later atomic.Int64
	cfg.Now = func() time.Time { return noon.Add(time.Duration(later.Load())) }
	api := newAPI(t, cfg, entra.APIConfig{})
	raw := mint(t, fake, fakeentra.Token{})
	caller, err := api.Verify(t.Context(), raw)
	require.NoError(t, err)

	var wait sync.WaitGroup
	answers := make([]string, 20)
	errs := make([]error, 20)
	for i := range answers {
		wait.Go(func() {
			answers[i], errs[i] = api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
		})
	}
	wait.Wait()
	for i, answer := range answers {
		require.NoError(t, errs[i])
		assert.True(t, answers[0] == answer, "all get the same token")
	}
	assert.EqualValues(t, 1, requests.Load(), "one exchange for concurrent and later calls")
	me, err := api.Me(t.Context(), answers[0])
	require.NoError(t, err)
	assert.Equal(t, directory.DefaultUserID, me.ID)

	later.Store(int64(86 * time.Minute))
	_, err = api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
	require.NoError(t, err)
	assert.EqualValues(t, 2, requests.Load(), "a token that expires soon is replaced")
}

func TestOnBehalfOfRefuses(t *testing.T) {
	t.Parallel()
	fake := newAPIFake(t, 2)
	cfg := apiConfig(fake)
	raw := mint(t, fake, fakeentra.Token{})

	secretless := cfg
	secretless.ClientSecret = ""
	api := newAPI(t, secretless, entra.APIConfig{})
	require.NoError(t, api.Check(t.Context()), "a server that only checks tokens needs no secret")
	caller, err := api.Verify(t.Context(), raw)
	require.NoError(t, err)
	_, err = api.OnBehalfOf(t.Context(), caller, raw, []string{"User.Read"})
	var missing *entra.ConfigError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "AUTH_CLIENT_SECRET", missing.Key)

	api = newAPI(t, cfg, entra.APIConfig{})
	asApp := &identity.Caller{Attributes: identity.Attributes{Kind: identity.App}}
	_, err = api.OnBehalfOf(t.Context(), asApp, raw, []string{"User.Read"})
	var app *entra.AppCallerError
	require.ErrorAs(t, err, &app)

	_, err = api.OnBehalfOf(t.Context(), caller, raw, []string{"Calendars.Read"})
	var refused *entra.Error
	require.ErrorAs(t, err, &refused, "without consent")
	assert.Equal(t, 65001, refused.AADSTS)
	assert.Equal(t, "on-behalf-of", refused.Op)
}
