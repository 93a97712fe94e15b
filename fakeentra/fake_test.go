package fakeentra_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClientReachesNobodyElse(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	_, err := fake.Client().Get("https://example.com/")
	assert.ErrorContains(t, err, "https://example.com is not a host of this fake")
}

func TestFakeWorksInsideABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, fakeentra.Config{AutoSignIn: true})
		code := signIn(t, fake, nil)
		time.Sleep(11 * time.Minute) // of the bubble's clock
		assert.Equal(t, 70008, token(t, fake, redemption(code, nil)).number(t))
	})
}

// With a seeded source of randomness and a fixed clock, two fakes give the same answers to the
// byte.
func TestSeededFakesAreAlike(t *testing.T) {
	t.Parallel()
	transcript := func() string {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		seed := [32]byte{7}
		fake := newFake(
			t,
			fakeentra.Config{AutoSignIn: true, Rand: rand.NewChaCha8(seed), Now: func() time.Time { return now }},
		)
		code := signIn(t, fake, nil)
		return code + token(t, fake, redemption(code, nil)).Body
	}
	assert.Equal(t, transcript(), transcript())
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		config fakeentra.Config
	}{
		{"want a public URL of scheme and host", fakeentra.Config{PublicURL: "https://login.example.com/path"}},
		{`"refused", "ignored" or nothing`, fakeentra.Config{ResourceParameter: "sometimes"}},
		{
			"want a GUID as ID",
			fakeentra.Config{Directory: directory.Directory{Tenants: []directory.Tenant{{ID: "contoso"}}}},
		},
	} {
		_, err := fakeentra.New(test.config)
		assert.ErrorContains(t, err, test.text)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{PublicURL: "https://login.test"})
	got := get(t, fake, "https://login.test/"+directory.DefaultTenantID+"/v2.0/.well-known/openid-configuration")
	assert.Equal(t, "https://login.test/"+directory.DefaultTenantID+"/v2.0", got.text("issuer"))
	assert.Equal(t, "https://login.test/"+directory.DefaultTenantID+"/oauth2/v2.0/token", got.text("token_endpoint"))
}

func TestServerTakesBothLoopbackAddresses(t *testing.T) {
	t.Parallel()
	server, err := fakeentra.Listen(fakeentra.Config{}, "localhost:0", false)
	require.NoError(t, err)
	defer server.Close()
	parsed, err := url.Parse(server.URL)
	require.NoError(t, err)
	assert.Equal(t, "localhost", parsed.Hostname())
	hosts := []string{"127.0.0.1"}
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil {
		probe.Close()
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get(
			"http://" + net.JoinHostPort(
				host,
				parsed.Port(),
			) + "/" + directory.DefaultTenantID + "/v2.0/.well-known/openid-configuration",
		)
		require.NoError(t, err, host)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		assert.Contains(
			t,
			string(body),
			`"issuer":"`+server.URL+"/"+directory.DefaultTenantID+`/v2.0"`,
			"one instance, one issuer",
		)
	}
	_, err = fakeentra.Listen(fakeentra.Config{}, "localhost:"+parsed.Port(), false)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	assert.ErrorContains(t, err, parsed.Port())
}

func TestTLSServer(t *testing.T) {
	t.Parallel()
	server := fakeentra.NewTLSServer(fakeentra.Config{})
	defer server.Close()
	assert.True(t, strings.HasPrefix(server.URL, "https://127.0.0.1:"), server.URL)
	response, err := server.Client().
		Get(server.URL + "/" + directory.DefaultDomain + "/v2.0/.well-known/openid-configuration")
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	pool := x509.NewCertPool()
	assert.True(t, pool.AppendCertsFromPEM(server.CAPEM()))
	strict := &http.Client{Transport: &http.Transport{}}
	_, err = strict.Get(server.URL)
	assert.ErrorContains(t, err, "certificate", "clients do not trust the CA by default")
	server.Client().CloseIdleConnections()
}

func TestLogHoldsNoSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	code := signIn(t, fake, nil)
	got := token(t, fake, redemption(code, nil))
	token(t, fake, redemption(code, nil))
	require.Contains(t, log.String(), "aadsts=54005")
	for _, secret := range []string{
		code,
		verifier,
		directory.DefaultClientSecret,
		got.text("access_token"),
		got.text("refresh_token"),
		"a-nonce",
	} {
		assert.NotContains(t, log.String(), secret)
	}
}

func TestClientGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, tenantURL+"/v2.0/.well-known/openid-configuration", nil)
	require.NoError(t, err)
	_, err = fake.Client().Do(r)
	assert.ErrorIs(t, err, context.Canceled)
}

// A fake in a container has one name inside and another outside.
func TestBackchannel(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{PublicURL: "http://localhost:8400", BackchannelURL: "https://fake.internal"})
	got := get(t, fake, "https://fake.internal/"+directory.DefaultTenantID+"/v2.0/.well-known/openid-configuration")
	for _, test := range []struct {
		name string
		want string
	}{
		{"issuer", "http://localhost:8400/"},
		{"authorization_endpoint", "http://localhost:8400/"},
		{"end_session_endpoint", "http://localhost:8400/"},
		{"token_endpoint", "https://fake.internal/"},
		{"jwks_uri", "https://fake.internal/"},
		{"userinfo_endpoint", "https://fake.internal/"},
		{"device_authorization_endpoint", "https://fake.internal/"},
	} {
		assert.True(t, strings.HasPrefix(got.text(test.name), test.want), "%s: %s", test.name, got.text(test.name))
	}
	_, err := fakeentra.New(fakeentra.Config{BackchannelURL: "fake.internal"})
	require.ErrorContains(t, err, "want a backchannel URL of scheme and host")

	server := fakeentra.NewTLSServer(fakeentra.Config{BackchannelURL: "https://fake.internal"})
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(server.URL, "https://"))
	}
	response, err := client.Get("https://fake.internal/")
	require.NoError(t, err, "the certificate is for that name, too")
	response.Body.Close()
	client.CloseIdleConnections()
}
