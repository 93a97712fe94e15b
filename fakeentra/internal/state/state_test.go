package state

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// filled is a state in which a person of the default directory has one of everything.
func filled(t *testing.T, d *directory.Directory) *State {
	t.Helper()
	tenant := &d.Tenants[0]
	app := tenant.App(directory.DefaultClientID)
	user := &tenant.Users[0]
	delegation := rules.Delegation{
		Tenant: tenant,
		Client: app,
		User:   user,
		Asked:  &rules.Permissions{Groups: []rules.PermissionGroup{{App: &rules.GraphApp}}},
		Began:  now,
	}
	s := New()
	s.AddCode([]byte("code"), &Code{Delegation: delegation})
	s.AddRefreshToken([]byte("refresh"), &RefreshToken{Delegation: delegation})
	s.AddDevice("device", &DeviceCode{Path: &rules.TenantPath{Tenant: tenant}, Client: app, UserCode: "ABC"})
	s.SignIn("", "session", SignedIn{Tenant: tenant, User: user})
	s.Consent(ConsentKey{TenantID: tenant.ID, UserID: user.ID, ClientID: app.ID}, []string{"a", "b", "a"})
	s.AddMFASession("sid")
	s.Register(&directory.App{ID: "registered"})
	return s
}

// found lists the things that a state still knows.
func found(s *State, d *directory.Directory) []string {
	var all []string
	add := func(name string, found bool) {
		if found {
			all = append(all, name)
		}
	}
	_, isCode := s.Code("code")
	add("code", isCode)
	_, isToken := s.RefreshToken("refresh")
	add("refresh token", isToken)
	_, isDevice := s.Device("device")
	add("device code", isDevice)
	_, isUserCode := s.DeviceOfUser("ABC")
	add("user code", isUserCode)
	add("session", s.SignedIn("session", nil) != nil)
	key := ConsentKey{TenantID: d.Tenants[0].ID, UserID: d.Tenants[0].Users[0].ID, ClientID: directory.DefaultClientID}
	add("consent", len(s.consented(key)) == 2)
	add("second factor", s.HadMFA("sid"))
	_, isRegistered := s.Registered("registered")
	add("client", isRegistered)
	return all
}

var everything = []string{
	"code", "refresh token", "device code", "user code", "session", "consent", "second factor", "client",
}

func TestResetForgetsEverything(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	s := filled(t, &d)
	s.Revoke(d.Tenants[0].Users[0].ID, "event", now, 0)
	s.Reset()
	assert.Empty(t, found(s, &d))
	assert.False(t, s.Revoked(&rules.Delegation{User: &d.Tenants[0].Users[0]}))
}

func TestRebind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(d *directory.Directory)
		gone   []string
	}{
		{"an equal directory", func(*directory.Directory) {}, nil},
		{"tenant is gone", func(d *directory.Directory) { d.Tenants[0].ID = "other" },
			[]string{"code", "refresh token", "device code", "user code", "session"}},
		{"person is gone", func(d *directory.Directory) { d.Tenants[0].Users[0].ID = "other" },
			[]string{"code", "refresh token", "session"}},
		{"app is gone", func(d *directory.Directory) { d.Tenants[0].App(directory.DefaultClientID).ID = "other" },
			[]string{"code", "refresh token", "device code", "user code"}},
	} {
		old := directory.Default()
		s := filled(t, &old)
		next := directory.Default()
		test.change(&next)
		s.Rebind(&next)
		left := found(s, &old)
		for _, name := range everything {
			assert.NotEqual(t, slices.Contains(left, name), slices.Contains(test.gone, name), "%s: %s", test.name, name)
		}
		if code, isLeft := s.Code("code"); isLeft {
			assert.Same(t, &next.Tenants[0], code.Delegation.Tenant, test.name)
		}
	}
}

func TestRedeemWorksOnce(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	s := filled(t, &d)
	code, _ := s.Code("code")
	assert.True(t, s.Redeem(code))
	assert.False(t, s.Redeem(code))
	device, _ := s.Device("device")
	assert.True(t, s.RemoveDevice("device", device))
	assert.False(t, s.RemoveDevice("device", device))
	_, isLeft := s.DeviceOfUser("ABC")
	assert.False(t, isLeft, "the user code ends, too")
}

func TestSessions(t *testing.T) {
	t.Parallel()
	d := directory.Default()
	s := filled(t, &d)
	tenant := &d.Tenants[0]
	first := tenant.Users[0].UserPrincipalName
	second := tenant.Users[1].UserPrincipalName
	s.SignIn("session", "next", SignedIn{Tenant: tenant, User: &tenant.Users[1]})
	assert.Nil(t, s.SignedIn("session", nil), "the old ID is worth nothing")
	assert.Equal(t, second, s.SignedIn("next", tenant).User.UserPrincipalName)
	_, several := s.Pick("next", tenant, "")
	assert.True(t, several)
	person, several := s.Pick("next", tenant, first)
	assert.False(t, several)
	assert.Equal(t, first, person.User.UserPrincipalName)
	assert.Equal(t, first, s.SignedIn("next", nil).User.UserPrincipalName, "the picked person is first")
	s.RememberApp("next", &directory.App{ID: "silent"}, "sid")
	s.RememberApp("next", &directory.App{ID: "app", LogoutURL: "https://app.example/"}, "sid")
	s.Revoke(tenant.Users[0].ID, "event", now, 0)
	assert.Equal(t, second, s.SignedIn("next", nil).User.UserPrincipalName)
	assert.True(t, s.Revoked(&rules.Delegation{User: &tenant.Users[0], Began: now}))
	assert.False(t, s.Revoked(&rules.Delegation{User: &tenant.Users[0], Began: now.Add(1)}))
	apps, isFound := s.SignOut("next")
	require.True(t, isFound)
	assert.Len(t, apps, 1)
	_, isFound = s.SignOut("next")
	assert.False(t, isFound)
}

func TestStateIsBounded(t *testing.T) {
	t.Parallel()
	s := New()
	for i := range maxDevices + 1 {
		id := string(rune(i))
		s.AddDevice(id, &DeviceCode{UserCode: id})
	}
	_, isFound := s.Device(string(rune(0)))
	assert.False(t, isFound, "the oldest is forgotten")
}
