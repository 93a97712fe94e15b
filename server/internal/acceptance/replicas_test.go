package acceptance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// TestReplicasActAsOne does everything that needs the store at two replicas in turn: device codes,
// tokens of applications, assertions, the renewal of Entra's token, and the ends of grants.
func TestReplicasActAsOne(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, kind storeKind) {
		app := newApp(t)
		w := newWorld(t, options{
			store:    kind.open(t),
			replicas: replicas,
			clients:  broker.ClientPolicy{File: app.file},
		})
		device := w.register(0, deviceMetadata())
		connectDevice(t, w, device.ClientID)
		app.callAtReplicas(t, w)
		renewOnce(t, w)
		endAtOtherReplica(t, w)
	})
}

func deviceMetadata() map[string]any {
	return map[string]any{"token_endpoint_auth_method": "none", "grant_types": []string{deviceGrant}}
}

// connectDevice takes each step of a device authorization at the other replica.
func connectDevice(t *testing.T, w *world, clientID string) {
	given := w.read(w.post(0, "/device_authorization", url.Values{"client_id": {clientID}}))
	require.Equal(t, http.StatusOK, given.status, given.Error)
	poll := url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {given.DeviceCode}}
	require.Equal(t, "authorization_pending", w.token(0, poll).Error)
	require.Equal(t, "slow_down", w.token(1, poll).Error, "the interval counts at both")
	b := w.browser()
	page := b.submit(1, "/device", url.Values{"user_code": {given.UserCode}})
	require.True(t, isConsent(page), page.body)
	back, err := w.entra.signIn(onward(b.decide(0, page.body, "approve")), 1)
	require.NoError(t, err)
	done := b.open(1, "/auth/callback?"+back.Encode())
	require.Contains(t, done.body, "The program has access")
	w.later(time.Minute)
	got := w.token(0, poll)
	require.Equal(t, http.StatusOK, got.status, got.Error)
	require.Equal(t, "invalid_grant", w.token(1, poll).Error, "a second redemption")
	endsEverywhere(t, w, got.Access)
}

// endsEverywhere waits until no replica accepts an access token.
func endsEverywhere(t *testing.T, w *world, access string) {
	t.Helper()
	for i := range w.replicas {
		require.Eventually(t, func() bool {
			_, err := w.replicas[i].Verify(t.Context(), access)
			return err != nil
		}, time.Minute, 10*time.Millisecond, "replica %d", i)
	}
}

// An app is a client that calls for itself, and signs assertions.
type app struct {
	file string
	key  *ecdsa.PrivateKey
}

func newApp(t *testing.T) *app {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "0"}}})
	require.NoError(t, err)
	made := &app{file: filepath.Join(t.TempDir(), "clients.json"), key: key}
	text := fmt.Sprintf(`{"clients":[{"client_id":"nightly","grant_types":["client_credentials"],`+
		`"token_endpoint_auth_method":"private_key_jwt","scope":"user.read","jwks":%s}]}`, keys)
	require.NoError(t, os.WriteFile(made.file, []byte(text), 0o600))
	return made
}

// request returns a request for a token, with an assertion.
func (a *app) request(t *testing.T, w *world, id string) url.Values {
	text, err := json.Marshal(map[string]any{
		"iss": "nightly",
		"sub": "nightly",
		"aud": issuer,
		"exp": w.now().Add(2 * time.Minute).Unix(),
		"jti": id,
	})
	require.NoError(t, err)
	options := (&jose.SignerOptions{}).WithHeader("kid", "0")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: a.key}, options)
	require.NoError(t, err)
	signed, err := signer.Sign(text)
	require.NoError(t, err)
	assertion, err := signed.CompactSerialize()
	require.NoError(t, err)
	return url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
}

// callAtReplicas gets a token at one replica, and revokes it at the other.
func (a *app) callAtReplicas(t *testing.T, w *world) {
	first := a.request(t, w, "first")
	got := w.token(0, first)
	require.Equal(t, http.StatusOK, got.status, got.Error)
	require.Equal(t, "invalid_client", w.token(1, first).Error, "each assertion counts once")
	for i := range w.replicas {
		_, err := w.replicas[i].Verify(t.Context(), got.Access)
		require.NoError(t, err)
	}
	revocation := a.request(t, w, "second")
	revocation.Del("grant_type")
	revocation.Set("token", got.Access)
	require.Equal(t, http.StatusOK, w.post(1, "/revoke", revocation).status)
	endsEverywhere(t, w, got.Access)
}

// renewOnce lets both replicas need Entra's new token at the same time. One of them asks for it.
func renewOnce(t *testing.T, w *world) {
	program := w.register(0, metadata())
	code := w.browser().codeFor(program.ClientID, loopback, "user.read", 2)
	got := w.token(1, redemption(program.ClientID, loopback, code))
	require.Equal(t, http.StatusOK, got.status, got.Error)
	caller, err := w.replicas[0].Verify(t.Context(), got.Access)
	require.NoError(t, err)
	w.later(upstreamLifetime)
	issued := w.entra.issuedTokens()
	var all sync.WaitGroup
	tokens := make([]string, 8)
	for i := range tokens {
		all.Go(func() {
			renewed, err := w.replicas[i%replicas].UpstreamToken(t.Context(), caller.GrantID)
			if err != nil {
				t.Error(err)
			}
			tokens[i] = renewed
		})
	}
	all.Wait()
	require.Equal(t, issued+1, w.entra.issuedTokens(), "all replicas together ask once")
	for _, one := range tokens {
		require.Equal(t, tokens[0], one)
	}
}

// endAtOtherReplica ends the grants of a person at one replica. The other one follows, and the
// person is asked for consent again.
func endAtOtherReplica(t *testing.T, w *world) {
	program := w.register(0, metadata())
	b := w.browser()
	code := b.codeFor(program.ClientID, loopback, "user.read", 3)
	got := w.token(0, redemption(program.ClientID, loopback, code))
	require.Equal(t, http.StatusOK, got.status, got.Error)
	_, err := w.replicas[1].Verify(t.Context(), got.Access)
	require.NoError(t, err, "the other replica has cached the grant")
	pending := b.codeFor(program.ClientID, loopback, "user.read", 3)

	ended, err := w.replicas[0].EndGrants(t.Context(), broker.GrantFilter{User: userName(3)}, "a test")
	require.NoError(t, err)
	require.Equal(t, 1, ended)
	endsEverywhere(t, w, got.Access)
	require.Equal(t, "invalid_grant", w.token(1, refreshing(program.ClientID, got.Refresh)).Error)
	require.Equal(t, "invalid_grant", w.token(1, redemption(program.ClientID, loopback, pending)).Error)
	require.True(t, isConsent(b.open(1, authorization(program.ClientID, loopback, "user.read"))))
}

// TestFloodOfOneNetwork makes one network begin more than the store keeps, at both replicas. What
// another network has begun before goes on.
func TestFloodOfOneNetwork(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, kind storeKind) {
		w := newWorld(t, options{
			store:    kind.open(t),
			replicas: replicas,
			limits:   broker.Limits{Pending: 20},
		})
		program := w.register(0, metadata())
		fresh := w.register(0, metadata())
		device := w.register(0, deviceMetadata())
		b := w.browser()
		page := b.open(0, authorization(program.ClientID, loopback, "user.read"))
		require.True(t, isConsent(page), page.body)
		given := w.read(w.post(0, "/device_authorization", url.Values{"client_id": {device.ClientID}}))
		require.Equal(t, http.StatusOK, given.status, given.Error)

		floodNetwork(t, w)

		back, err := w.entra.signIn(onward(b.decide(1, page.body, "approve")), 1)
		require.NoError(t, err)
		callback := onward(b.open(0, "/auth/callback?"+back.Encode()))
		require.Contains(t, callback, "code=", "a sign-in that was under way")
		require.True(t, isConsent(b.open(1, authorization(fresh.ClientID, loopback, "user.read"))), "a registration")
		typed := b.submit(1, "/device", url.Values{"user_code": {given.UserCode}})
		require.True(t, isConsent(typed), "a device code: %s", typed.body)
	})
}

// floodNetwork registers clients and begins sign-ins and device authorizations from one network.
func floodNetwork(t *testing.T, w *world) {
	send := func(i int, method, target, contentType, body string) answer {
		r := httptest.NewRequestWithContext(t.Context(), method, issuer+target, strings.NewReader(body))
		r.RemoteAddr = fmt.Sprintf("203.0.113.%d:1", i)
		r.Header.Set("Content-Type", contentType)
		recorder := httptest.NewRecorder()
		w.replicas[i%replicas].ServeHTTP(recorder, r)
		return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
	}
	text, err := json.Marshal(map[string]any{
		"token_endpoint_auth_method": "none",
		"grant_types":                []string{"authorization_code", deviceGrant},
		"redirect_uris":              []string{loopback},
	})
	require.NoError(t, err)
	for i := range 50 {
		made := w.read(send(i, http.MethodPost, "/register", "application/json", string(text)))
		require.Equal(t, http.StatusCreated, made.status, made.Error)
		page := send(i, http.MethodGet, authorization(made.ClientID, loopback, "user.read"), "", "")
		require.True(t, isConsent(page), page.body)
		form := url.Values{"client_id": {made.ClientID}}.Encode()
		asked := send(i, http.MethodPost, "/device_authorization", "application/x-www-form-urlencoded", form)
		require.Equal(t, http.StatusOK, asked.status, asked.body)
	}
}
