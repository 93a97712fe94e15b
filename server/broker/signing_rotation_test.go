package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
	"mcpentra/server/token"
)

// publishedKeys returns the IDs of the keys that a broker publishes.
func publishedKeys(t *testing.T, b *broker.Broker) []string {
	answer := httptest.NewRecorder()
	b.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/jwks", nil))
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &set))
	var ids []string
	for _, key := range set.Keys {
		assert.True(t, key.IsPublic())
		ids = append(ids, key.KeyID)
	}
	return ids
}

// signedBy returns the ID of the key that signed an access token.
func signedBy(t *testing.T, access string) string {
	parsed, err := jwt.ParseSigned(access, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	return parsed.Headers[0].KeyID
}

// A signingEnv has two brokers on one store.
type signingEnv struct {
	*env
	kept     store.Store
	keys     *broker.Keys
	replicas []*broker.Broker
	client   registered
}

func newSigningEnv(t *testing.T) *signingEnv {
	_, keys := newKeysText(t)
	kept := newMemory()
	e := newEnv(t, options{store: kept, keys: keys})
	replicas := []*broker.Broker{e.broker, e.start(options{store: kept, keys: keys})}
	return &signingEnv{env: e, kept: kept, keys: keys, replicas: replicas, client: e.public()}
}

func (e *signingEnv) rotate(emergency bool) (*broker.NewSigningKey, error) {
	return broker.RotateSigningKey(e.t.Context(), broker.SigningRotation{
		Store:     e.kept,
		Keys:      e.keys,
		Emergency: emergency,
		Now:       e.now,
	})
}

// accepted reports at how many replicas an access token is good.
func (e *signingEnv) accepted(access string) int {
	count := 0
	for _, replica := range e.replicas {
		_, err := replica.Verify(e.t.Context(), access)
		var invalid *token.InvalidError
		if err == nil {
			count++
		} else {
			assert.ErrorAs(e.t, err, &invalid)
		}
	}
	return count
}

// refreshed refreshes at a replica.
func (e *signingEnv) refreshed(replica int, got tokens) tokens {
	e.broker = e.replicas[replica]
	next, status := e.token(refreshing(e.client, got.Refresh))
	require.Equal(e.t, 200, status, next.Error)
	return next
}

// TestPlannedRotationOfSigningKey publishes a new key, signs with it when caches have it, and keeps
// the old one until its tokens have expired.
func TestPlannedRotationOfSigningKey(t *testing.T) {
	t.Parallel()
	e := newSigningEnv(t)
	first := e.signedIn(e.client)
	old := signedBy(t, first.Access)
	made, err := e.rotate(false)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, made.From.Sub(e.now()), 6*time.Minute, "caches keep the document for 5 minutes")
	for _, replica := range e.replicas {
		assert.Equal(t, []string{old, made.ID}, publishedKeys(t, replica))
	}
	_, err = e.rotate(false)
	assert.ErrorIs(t, err, broker.ErrRotating)

	e.later(made.From.Sub(e.now()) - time.Second)
	last := e.refreshed(1, first)
	assert.Equal(t, old, signedBy(t, last.Access))
	e.later(time.Second)
	next := e.refreshed(0, last)
	assert.Equal(t, made.ID, signedBy(t, next.Access))
	assert.Equal(t, 2, e.accepted(next.Access))
	assert.Equal(t, 2, e.accepted(last.Access), "tokens of the old key are good until they expire")

	e.later(made.OldUntil.Sub(e.now()) - time.Second)
	assert.Equal(t, []string{old, made.ID}, publishedKeys(t, e.replicas[1]))
	assert.Zero(t, e.accepted(last.Access), "expired")
	e.later(time.Second)
	assert.Equal(t, []string{made.ID}, publishedKeys(t, e.replicas[1]))
	for _, replica := range e.replicas {
		require.NoError(t, replica.MaintainOnce(t.Context()))
	}
	next = e.refreshed(1, next)
	assert.Equal(t, made.ID, signedBy(t, next.Access))

	// The version before knows only one record.
	require.NoError(t, e.kept.Delete(t.Context(), "signing key", "set"))
	rolledBack := e.start(options{store: e.kept, keys: e.keys})
	assert.Equal(t, []string{made.ID}, publishedKeys(t, rolledBack))
	_, err = rolledBack.Verify(t.Context(), next.Access)
	assert.NoError(t, err)
}

// TestEmergencyRotationOfSigningKey removes a key. Its tokens end on all replicas, and clients
// refresh.
func TestEmergencyRotationOfSigningKey(t *testing.T) {
	t.Parallel()
	e := newSigningEnv(t)
	_, err := e.rotate(false)
	require.NoError(t, err)
	got := e.signedIn(e.client)
	require.Equal(t, 2, e.accepted(got.Access), "in the cache of both")
	made, err := e.rotate(true)
	require.NoError(t, err)
	assert.Zero(t, e.accepted(got.Access))
	for i, replica := range e.replicas {
		assert.Equal(t, []string{made.ID}, publishedKeys(t, replica))
		got = e.refreshed(i, got)
		assert.Equal(t, made.ID, signedBy(t, got.Access))
		assert.Equal(t, 2, e.accepted(got.Access))
	}
	require.NoError(t, e.kept.Delete(t.Context(), "signing key", "set"))
	rolledBack := e.start(options{store: e.kept, keys: e.keys})
	assert.Equal(t, []string{made.ID}, publishedKeys(t, rolledBack), "the version before has no other key")
}

// TestSigningKeyOfEarlierVersion rotates the one key that an earlier version has stored.
func TestSigningKeyOfEarlierVersion(t *testing.T) {
	t.Parallel()
	e := newSigningEnv(t)
	got := e.signedIn(e.client)
	require.NoError(t, e.kept.Delete(t.Context(), "signing key", "set"))
	made, err := e.rotate(false)
	require.NoError(t, err)
	updated := e.start(options{store: e.kept, keys: e.keys})
	assert.Equal(t, []string{signedBy(t, got.Access), made.ID}, publishedKeys(t, updated))
	_, err = broker.RotateSigningKey(t.Context(), broker.SigningRotation{Store: newMemory(), Keys: e.keys})
	assert.ErrorContains(t, err, "start the server")
}

// TestSigningKeysOutliveStore keeps the keys while the store cannot be asked.
func TestSigningKeysOutliveStore(t *testing.T) {
	t.Parallel()
	kept := &noSigningKeys{Store: newMemory()}
	e := newEnv(t, options{store: kept})
	got := e.signedIn(e.public())
	kept.down = true
	assert.True(t, e.good(got.Access))
	assert.Len(t, publishedKeys(t, e.broker), 1)
}

type noSigningKeys struct {
	store.Store
	down bool
}

func (s *noSigningKeys) GetCached(ctx context.Context, kind, key string, known int64) (store.Record, error) {
	if kind == "signing key" && s.down {
		return store.Record{}, errors.New("down")
	}
	return s.Store.GetCached(ctx, kind, key, known)
}
