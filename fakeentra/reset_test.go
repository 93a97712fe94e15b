package fakeentra_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	passed := time.Duration(0)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Now: func() time.Time { return start.Add(passed) }})
	code := signIn(t, fake, nil)
	fake.Advance(11 * time.Minute)
	assert.Equal(t, 70008, token(t, fake, redemption(code, nil)).number(t), "codes expire")
	passed = time.Minute
	assert.Equal(t, start.Add(12*time.Minute), fake.Now())

	noon := start.Add(12 * time.Hour)
	fake.Freeze(noon)
	passed = time.Hour
	assert.Equal(t, noon, fake.Now())
	fake.Advance(time.Minute)
	assert.Equal(t, noon.Add(time.Minute), fake.Now())
	fake.Unfreeze()
	passed += time.Second
	assert.Equal(t, noon.Add(time.Minute+time.Second), fake.Now())

	first := token(t, fake, redemption(signIn(t, fake, nil), nil))
	fake.Advance(91 * 24 * time.Hour)
	assert.Equal(
		t,
		700082,
		token(t, fake, refreshing(first.text("refresh_token"), nil)).number(t),
		"refresh tokens expire",
	)
	fake.Reset()
	assert.Equal(t, start.Add(passed), fake.Now())
}

func TestReset(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	first := token(t, fake, redemption(signIn(t, fake, nil), nil))
	require.NoError(t, fake.Inject(fault.Fault{On: endpoint.Keys, Drop: true}))
	keys := publishedKeysWithout(t, fake, endpoint.Keys)
	require.NoError(t, fake.Rotate())
	fake.Reset()
	assert.Empty(t, fake.Script().All())
	assert.Zero(t, fake.Journal().Count(journal.Filter{}))
	assert.Equal(t, 70000, token(t, fake, refreshing(first.text("refresh_token"), nil)).number(t))
	assert.Equal(t, keys, publishedKeysWithout(t, fake, ""))
}

// publishedKeysWithout is the text of the key set, once a fault of the endpoint was used up.
func publishedKeysWithout(t *testing.T, fake *fakeentra.Fake, faulty endpoint.Name) string {
	t.Helper()
	if faulty != "" {
		_, err := fake.Client().Get(tenantURL + "/discovery/v2.0/keys")
		require.Error(t, err)
	}
	return get(t, fake, tenantURL+"/discovery/v2.0/keys").Body
}

// What people have done outlives a change of the directory, unless their account is gone.
func TestSetDirectory(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: withDevices()})
	code := signIn(t, fake, nil)
	refresh := token(t, fake, redemption(signIn(t, fake, nil), nil)).text("refresh_token")
	alex := token(
		t,
		fake,
		redemption(signIn(t, fake, map[string]string{"login_hint": "AlexW@contoso.onmicrosoft.com"}), nil),
	).text("refresh_token")
	device := deviceCodeOf(t, fake)

	d := withDevices()
	tenant := &d.Tenants[0]
	tenant.Users = tenant.Users[:1]
	tenant.Users[0].DisplayName = "Adele Vance-Smith"
	tenant.Region = "NA"
	require.NoError(t, fake.SetDirectory(d))

	redeemed := token(t, fake, redemption(code, nil))
	require.Equal(t, http.StatusOK, redeemed.Status, redeemed.Body)
	_, payload := claims(t, redeemed.text("id_token"))
	assert.Equal(t, "Adele Vance-Smith", payload["name"])
	assert.Equal(t, 54005, token(t, fake, redemption(code, nil)).number(t), "a code stays used up")
	assert.Equal(t, http.StatusOK, token(t, fake, refreshing(refresh, nil)).Status)
	assert.Equal(t, 50173, token(t, fake, refreshing(alex, nil)).number(t), "Alex is gone")
	assert.Equal(t, "NA", get(t, fake, tenantURL+"/v2.0/.well-known/openid-configuration").text("tenant_region_scope"))
	assert.Equal(t, 70016, token(t, fake, device).number(t), "a device still waits")

	bad := directory.Default()
	bad.Tenants[0].ID = "contoso"
	require.ErrorContains(t, fake.SetDirectory(bad), "the directory was not replaced")
	assert.Equal(t, "Adele Vance-Smith", fake.Directory().Tenants[0].Users[0].DisplayName)

	d = directory.Default()
	d.Tenants[0].Apps = d.Tenants[0].Apps[:1]
	require.NoError(t, fake.SetDirectory(d))
	assert.Equal(t, 700016, token(t, fake, device).number(t), "the device's app is gone")
}

// withDevices is the default directory, whose API's registration lets devices in.
func withDevices() directory.Directory {
	return changed(func(t *directory.Tenant) { t.Apps[1].AllowPublicFlows = true })
}

// deviceCodeOf asks for a device code and returns what the device polls with.
func deviceCodeOf(t *testing.T, fake *fakeentra.Fake) url.Values {
	t.Helper()
	form := url.Values{"client_id": {directory.DefaultAPIID}, "scope": {"User.Read"}}
	r, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		tenantURL+"/oauth2/v2.0/devicecode",
		strings.NewReader(form.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, fake, r)
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	return url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"client_id":   {directory.DefaultAPIID},
		"device_code": {got.text("device_code")},
	}
}

// A directory that changes all the time does not disturb those who use it.
func TestSetDirectoryUnderLoad(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 10 {
				got := token(t, fake, redemption(signIn(t, fake, nil), nil))
				if assert.Equal(t, http.StatusOK, got.Status, got.Body) {
					assert.Equal(t, http.StatusOK, token(t, fake, refreshing(got.text("refresh_token"), nil)).Status)
				}
			}
		})
	}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				assert.NoError(t, fake.SetDirectory(directory.Default()))
			}
		}
	}()
	users.Wait()
	close(stop)
	<-stopped
}
