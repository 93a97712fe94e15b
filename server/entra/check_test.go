package entra_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server/entra"
)

func TestCheckNamesWrongSetting(t *testing.T) {
	t.Parallel()
	const unknown = "11111111-2222-4333-8444-555555555555"
	tests := map[string]struct {
		change func(*entra.Config)
		aadsts int
		key    string
	}{
		"all settings are right": {change: func(*entra.Config) {}},
		"tenant by domain":       {change: func(c *entra.Config) { c.TenantID = directory.DefaultDomain }},
		"unknown tenant": {
			change: func(c *entra.Config) { c.TenantID = unknown },
			aadsts: 90002,
			key:    "AUTH_TENANT_ID",
		},
		"unknown client": {
			change: func(c *entra.Config) { c.ClientID = unknown },
			aadsts: 700016,
			key:    "AUTH_CLIENT_ID",
		},
		"wrong secret": {
			change: func(c *entra.Config) { c.ClientSecret = "secret-canary" },
			aadsts: 7000215,
			key:    "AUTH_CLIENT_SECRET",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, err := fakeentra.New(fakeentra.Config{})
			require.NoError(t, err)
			cfg := forFake(fake)
			test.change(&cfg)
			err = newClient(t, cfg).Check(t.Context())
			if test.aadsts == 0 {
				require.NoError(t, err)
				return
			}
			var refused *entra.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.aadsts, refused.AADSTS)
			assert.Contains(t, refused.Advice, test.key)
			assert.Contains(t, err.Error(), test.key)
			assert.NotContains(t, err.Error(), "canary")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestCheckOverSockets(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(fakeentra.Config) *fakeentra.Server{
		"http":  fakeentra.NewServer,
		"https": fakeentra.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := start(fakeentra.Config{})
			t.Cleanup(fake.Close)
			cfg := forFake(fake.Fake)
			cfg.Authority = fake.URL
			cfg.GraphURL = fake.URL
			cfg.HTTPClient = fake.Client()
			require.NoError(t, newClient(t, cfg).Check(t.Context()))
		})
	}
}

func TestCheckTellsUnreachableFromRefused(t *testing.T) {
	t.Parallel()
	closed := "http://127.0.0.1:" + loopbacktest.Port(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	at := func(authority string) func(*issuer) entra.Config {
		return func(i *issuer) entra.Config {
			cfg := i.config()
			cfg.Authority = authority
			return cfg
		}
	}
	withoutKeys := func(i *issuer) entra.Config {
		i.keySet.Keys = nil
		return i.config()
	}
	withFault := func(i *issuer) entra.Config {
		i.token = writing(503, "")
		return i.config()
	}
	tests := map[string]func(*issuer) entra.Config{
		"no server listens":          at(closed),
		"another server listens":     at(other.URL),
		"no keys":                    withoutKeys,
		"token endpoint has a fault": withFault,
	}
	for name, configure := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newClient(t, configure(newIssuer(t))).Check(t.Context())
			var unavailable *entra.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestCheckAcceptsConditionalAccess(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	issuer.token = func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 400, map[string]any{"error": "invalid_grant", "error_codes": []int{53003}})
	}
	require.NoError(
		t,
		newClient(t, issuer.config()).Check(t.Context()),
		"Entra checks the policy after the secret, so the secret is right",
	)
}

func TestLogHasNoSecret(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	issuer.token = func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		answer(w, 400, map[string]any{"error": "invalid_grant", "error_description": "you sent something"})
	}
	var log strings.Builder
	cfg := issuer.config()
	cfg.ClientSecret = "canary"
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, cfg)
	_, err := client.Refresh(t.Context(), "canary", nil)
	require.Error(t, err)
	_, err = client.Redeem(t.Context(), entra.Redemption{Code: "canary", Verifier: "canary", Nonce: "canary"})
	require.Error(t, err)
	assert.NotContains(t, log.String()+err.Error(), "canary")
}

func TestRefusalIsSanitized(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	issuer.token = func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 400, map[string]any{
			"error":             "invalid_request",
			"suberror":          "bad\nsuberror",
			"error_codes":       []int{70002, 54005},
			"correlation_id":    "abc",
			"error_description": "AADSTS54005: once\r\n\x1b[31mtwice" + strings.Repeat("é", 2000) + " Trace ID: 1",
		})
	}
	_, err := newClient(t, issuer.config()).Refresh(t.Context(), "x", nil)
	var refused *entra.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, 54005, refused.AADSTS)
	assert.Equal(t, 400, refused.Status)
	assert.Equal(t, "unreadable_error", refused.Suberror)
	assert.LessOrEqual(t, len([]rune(refused.Description)), 500)
	assert.NotContains(t, refused.Description, "\x1b")
	assert.False(t, refused.GrantOver())
}

func TestAuthorizationErrorIsSanitized(t *testing.T) {
	t.Parallel()
	refused := entra.AuthorizationError("<script>", "AADSTS65004: User declined to consent. Trace ID: x")
	assert.Equal(t, "unreadable_error", refused.Code)
	assert.Equal(t, 65004, refused.AADSTS)
	assert.Contains(t, refused.Advice, "consent")
	assert.Equal(t, "AADSTS65004: User declined to consent.", refused.Description)
}

func TestAdviceNamesSetting(t *testing.T) {
	t.Parallel()
	for number, key := range map[int]string{
		7000215: "AUTH_CLIENT_SECRET",
		7000222: "AUTH_CLIENT_SECRET",
		90002:   "AUTH_TENANT_ID",
		900023:  "AUTH_TENANT_ID",
		700016:  "AUTH_CLIENT_ID",
		50011:   "AUTH_REDIRECT_URI",
		50194:   "AUTH_TENANT_ID",
		65001:   "consent",
		90094:   "consent",
		50105:   "Users and groups",
		53003:   "Conditional Access",
		50076:   "second factor",
		50079:   "second factor",
		28000:   "two APIs",
		7000114: "application",
		240002:  "ID token",
		500131:  "AUTH_CLIENT_ID",
		501461:  "App ID URI",
		70021:   "Federated credentials",
		70025:   "Federated credentials",
		700211:  "issuer",
		700212:  "audience",
		700213:  "subject",
		700222:  "AUTH_MANAGED_IDENTITY",
		7002137: "AUTH_MANAGED_IDENTITY",
		7002138: "upper and lower case",
		5002730: "AUTH_CERTIFICATE_FILE",
		9002331: "personal accounts",
		9002332: "AUTH_TENANT_ID",
		500200:  "personal account",
	} {
		assert.Contains(t, entra.Advice(number), key, "AADSTS%d", number)
	}
	assert.Empty(t, entra.Advice(1))
}

func TestDiscoveryKeepsDocument(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t)
	now := noon
	cfg := issuer.config()
	cfg.Now = func() time.Time { return now }
	client := newClient(t, cfg)
	ask := func() error {
		_, err := client.AuthorizationURL(
			t.Context(),
			entra.AuthorizationRequest{State: "s", Nonce: "n", CodeChallenge: "c"},
		)
		return err
	}
	require.NoError(t, ask())
	require.NoError(t, ask())
	assert.EqualValues(t, 1, issuer.requests("openid-configuration"))

	now = now.Add(25 * time.Hour)
	issuer.document = func(document map[string]any) { document["issuer"] = "https://evil.example/v2.0" }
	require.NoError(t, ask(), "the last good document counts")
	require.NoError(t, ask())
	assert.EqualValues(t, 2, issuer.requests("openid-configuration"), "the next attempt waits")
	now = now.Add(2 * time.Minute)
	require.NoError(t, ask())
	assert.EqualValues(t, 3, issuer.requests("openid-configuration"))
}
