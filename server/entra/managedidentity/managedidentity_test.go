package managedidentity_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/server/entra"
	"mcpentra/server/entra/managedidentity"
)

const identityID = "5a1e0007-0000-4000-8000-000000000001"

// newMachine returns a client of the metadata service of a virtual machine. The machine has the
// identity identityID, and perhaps one of its own.
func newMachine(t *testing.T, own bool) *http.Client {
	t.Helper()
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		id := query.Get("client_id")
		assert.Equal(t, "169.254.169.254", r.Host)
		assert.Equal(t, "true", r.Header.Get("Metadata"))
		w.Header().Set("Content-Type", "application/json")
		if id == "" && !own || id != "" && id != identityID {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_request","error_description":"Identity not found"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token of %s for %s","client_id":%q,"expires_in":"86400","expires_on":"%d",`+
			`"ext_expires_in":"86399","not_before":"0","resource":%q,"token_type":"Bearer"}`,
			id, query.Get("resource"), id, time.Now().Add(24*time.Hour).Unix(), query.Get("resource"))
	}))
	t.Cleanup(metadata.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, metadata.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// newAudience returns an audience that no test has asked for, because Azure's SDK remembers tokens
// for the whole process.
func newAudience() string { return "api://" + rand.Text() }

func authenticate(t *testing.T, config managedidentity.Config, audience string) (string, error) {
	t.Helper()
	credential, err := managedidentity.New(config)
	require.NoError(t, err)
	parameters, err := credential.Authenticate(t.Context(), entra.CredentialRequest{FederatedAudience: audience})
	return parameters.Get("client_assertion"), err
}

func TestVirtualMachine(t *testing.T) {
	t.Parallel()
	audience := newAudience()
	for identity, id := range map[string]string{managedidentity.System: "", identityID: identityID} {
		config := managedidentity.Config{Identity: identity, HTTPClient: newMachine(t, true)}
		got, err := authenticate(t, config, audience)
		require.NoError(t, err)
		assert.Equal(t, "token of "+id+" for "+audience, got)
	}
}

func TestMissingIdentityIsWrongSetting(t *testing.T) {
	t.Parallel()
	for _, identity := range []string{managedidentity.System, "5a1e0007-0000-4000-8000-00000000000f"} {
		config := managedidentity.Config{Identity: identity, HTTPClient: newMachine(t, false)}
		_, err := authenticate(t, config, newAudience())
		var wrong *entra.ConfigError
		require.ErrorAs(t, err, &wrong, identity)
		assert.Equal(t, "AUTH_MANAGED_IDENTITY", wrong.Key)
	}
	for _, identity := range []string{"", "System", "mine"} {
		_, err := managedidentity.New(managedidentity.Config{Identity: identity})
		require.ErrorContains(t, err, "AUTH_MANAGED_IDENTITY is")
	}
}

func TestPlatformThatCannotAnswerIsNoWrongSetting(t *testing.T) {
	t.Parallel()
	closed := "127.0.0.1:" + loopbacktest.Port(t)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, closed)
	}}
	credential, err := managedidentity.New(managedidentity.Config{
		Identity:   managedidentity.System,
		HTTPClient: &http.Client{Transport: transport, Timeout: 100 * time.Millisecond},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = credential.Authenticate(ctx, entra.CredentialRequest{FederatedAudience: newAudience()})
	require.Error(t, err)
	var wrong *entra.ConfigError
	require.NotErrorAs(t, err, &wrong)
	assert.NotContains(t, err.Error(), "\n")
}
