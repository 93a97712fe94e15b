package broker_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
	"mcpentra/server/store"
)

// A versionBefore is what the version before has stored and issued at the time started: a client
// with a secret, a consent, a grant after one refresh, a code, and a code that was redeemed.
type versionBefore struct {
	Keys         string `json:"keys"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Refresh      string `json:"refresh_token"`
	Previous     string `json:"previous_refresh_token"`
	Code         string `json:"code"`
	Redeemed     string `json:"redeemed_code"`
	Records      []struct {
		Kind    string          `json:"kind"`
		Key     string          `json:"key"`
		Source  string          `json:"source"`
		Expires time.Time       `json:"expires"`
		Value   json.RawMessage `json:"value"`
	} `json:"records"`
}

// storeBefore returns a store as the version before has left it.
func storeBefore(t *testing.T) (*versionBefore, store.Store) {
	text, err := os.ReadFile("testdata/version_before.json")
	require.NoError(t, err)
	var before versionBefore
	require.NoError(t, json.Unmarshal(text, &before))
	kept := newMemory()
	keys := keysOf(t, before.Keys)
	for _, record := range before.Records {
		sealed, err := broker.SealText(keys, record.Kind, record.Key, record.Value)
		require.NoError(t, err)
		_, err = kept.Put(t.Context(), store.Record{
			Kind:    record.Kind,
			Key:     record.Key,
			Source:  record.Source,
			Expires: record.Expires,
			Value:   sealed,
		})
		require.NoError(t, err)
	}
	return &before, kept
}

func (v *versionBefore) redeems(e *env, code string) (tokens, int) {
	form := redemption(registered{ID: v.ClientID}, code)
	form.Set("redirect_uri", appURI)
	return v.sends(e, form)
}

func (v *versionBefore) refreshes(e *env, refresh string) (tokens, int) {
	return v.sends(e, refreshing(registered{ID: v.ClientID}, refresh))
}

func (v *versionBefore) sends(e *env, form url.Values) (tokens, int) {
	form.Set("client_secret", v.ClientSecret)
	return e.token(form)
}

// TestUpgradeSignsNoPersonOut starts on the store of the version before.
func TestUpgradeSignsNoPersonOut(t *testing.T) {
	t.Parallel()
	before, kept := storeBefore(t)
	keys := keysOf(t, before.Keys)
	e := newEnv(t, options{store: kept, keys: keys})
	require.NoError(t, e.broker.Bind(t.Context(), "https://login.example tenant app"))
	_, raised := raise(t, e, kept, before.Keys, false)
	assert.False(t, raised.Voided)
	require.NoError(t, e.broker.MaintainOnce(t.Context()))
	report, err := broker.Inspect(t.Context(), kept, keys, nil)
	require.NoError(t, err)
	assert.Empty(t, report.Faults)

	repeated, status := before.refreshes(e, before.Previous)
	require.Equal(t, 200, status, repeated.Error)
	assert.Equal(t, before.Refresh, repeated.Refresh, "the same successor, as a repeated request gets")
	next, status := before.refreshes(e, before.Refresh)
	require.Equal(t, 200, status, next.Error)
	assert.True(t, e.good(next.Access))
	assert.Equal(t, signingKeyBefore(t, before), publishedKeys(t, e.broker))
	fromCode, status := before.redeems(e, before.Code)
	require.Equal(t, 200, status, fromCode.Error)
	assert.Len(t, grantsOf(t, e.broker, broker.GrantFilter{ClientID: before.ClientID}), 2)

	// A code that was redeemed before the upgrade ends the grant that it produced.
	_, status = before.redeems(e, before.Redeemed)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.False(t, e.good(next.Access))
	assert.True(t, e.good(fromCode.Access))
}

// signingKeyBefore returns the ID of the signing key of the version before.
func signingKeyBefore(t *testing.T, before *versionBefore) []string {
	for _, record := range before.Records {
		if record.Kind == "signing key" {
			id, err := broker.SigningKeyID(record.Value)
			require.NoError(t, err)
			return []string{id}
		}
	}
	t.Fatal("the fixture has no signing key")
	return nil
}

// These are the records as the version before reads them.
type (
	principalBefore struct {
		Issuer   string `json:"iss"`
		TenantID string `json:"tid"`
		ObjectID string `json:"oid"`
	}
	upstreamBefore struct {
		Access  string    `json:"access"`
		Refresh string    `json:"refresh"`
		Expiry  time.Time `json:"expiry"`
		Scopes  []string  `json:"scopes"`
	}
	grantBefore struct {
		ClientID    string          `json:"client_id"`
		ClientName  string          `json:"client_name"`
		Principal   principalBefore `json:"principal"`
		Name        string          `json:"name"`
		Username    string          `json:"username"`
		Scopes      []string        `json:"scopes"`
		Upstream    upstreamBefore  `json:"upstream"`
		RefreshHash string          `json:"refresh"`
		Rotated     time.Time       `json:"rotated"`
	}
	clientBefore struct {
		ID              string    `json:"id"`
		Name            string    `json:"name"`
		RedirectURIs    []string  `json:"redirect_uris"`
		AuthMethod      string    `json:"auth_method"`
		SecretHash      string    `json:"secret_hash"`
		ApplicationType string    `json:"application_type"`
		Registered      time.Time `json:"registered"`
		Used            bool      `json:"used"`
	}
	codeBefore struct {
		ClientID    string    `json:"client_id"`
		ClientName  string    `json:"client_name"`
		RedirectURI string    `json:"redirect_uri"`
		Challenge   string    `json:"challenge"`
		Scopes      []string  `json:"scopes"`
		Until       time.Time `json:"until"`
		SignIn      struct {
			Principal principalBefore `json:"principal"`
			Name      string          `json:"name"`
			Username  string          `json:"username"`
			Upstream  upstreamBefore  `json:"upstream"`
		} `json:"sign_in"`
	}
	consentBefore struct {
		Approvals []struct {
			RedirectURI string    `json:"redirect_uri"`
			Scopes      string    `json:"scopes"`
			Until       time.Time `json:"until"`
		} `json:"approvals"`
	}
	signingKeyOfBefore struct {
		PKCS8 []byte `json:"pkcs8"`
	}
)

// TestRollbackSignsNoPersonOut reads, as the version before does, what a sign-in leaves in the
// store. The keys file was rotated and has an epoch.
func TestRollbackSignsNoPersonOut(t *testing.T) {
	t.Parallel()
	before, kept := storeBefore(t)
	rotated, err := broker.RotateKeysText(before.Keys, rand.Reader, started.Add(time.Hour))
	require.NoError(t, err)
	keys := keysOf(t, rotated)
	e := newEnv(t, options{store: kept, keys: keys})
	rotated, _ = raise(t, e, kept, rotated, false)
	assert.Len(t, keyLines(rotated), 2, "the version before skips comments")
	c, status := e.register(`{"redirect_uris":["` + appURI + `"],"client_name":"Example",` +
		`"token_endpoint_auth_method":"client_secret_post"}`)
	require.Equal(t, http.StatusCreated, status)
	code := e.code(c, e.browser(), "redirect_uri", appURI).Get("code")
	now := &versionBefore{ClientID: c.ID, ClientSecret: c.Secret}
	pending := only[codeBefore](t, kept, keys, "code", c.ID)
	assert.Equal(t, c.ID, pending.ClientID)
	assertComplete(t, pending)
	got, status := now.redeems(e, code)
	require.Equal(t, 200, status, got.Error)
	_, status = before.refreshes(e, before.Refresh)
	require.Equal(t, 200, status)
	require.NoError(t, e.broker.MaintainOnce(t.Context()))

	assertComplete(t, only[clientBefore](t, kept, keys, "client", c.ID))
	for _, id := range []string{c.ID, before.ClientID} {
		assertComplete(t, only[grantBefore](t, kept, keys, "grant", id))
	}
	consents, err := kept.List(t.Context(), store.Query{Kind: "consent"})
	require.NoError(t, err)
	require.Len(t, consents, 2)
	for _, record := range consents {
		var consent consentBefore
		openInto(t, keys, record, &consent)
		require.NotEmpty(t, consent.Approvals)
		assertComplete(t, consent.Approvals[0])
	}
	record, err := kept.Get(t.Context(), "signing key", "current")
	require.NoError(t, err)
	var signing signingKeyOfBefore
	openInto(t, keys, record, &signing)
	_, err = x509.ParsePKCS8PrivateKey(signing.PKCS8)
	assert.NoError(t, err)
}

func openInto(t *testing.T, keys *broker.Keys, record store.Record, into any) {
	text, err := broker.OpenText(keys, record)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
}

// only returns the record of a kind that belongs to a client.
func only[T any](t *testing.T, kept store.Store, keys *broker.Keys, kind, clientID string) T {
	page, err := kept.List(t.Context(), store.Query{Kind: kind})
	require.NoError(t, err)
	var found []T
	for _, record := range page {
		var owner struct {
			ID       string `json:"id"`
			ClientID string `json:"client_id"`
		}
		openInto(t, keys, record, &owner)
		if owner.ID == clientID || owner.ClientID == clientID {
			var one T
			openInto(t, keys, record, &one)
			found = append(found, one)
		}
	}
	require.Len(t, found, 1, kind)
	return found[0]
}

// assertComplete checks that no member is missing.
func assertComplete(t *testing.T, record any) {
	text, err := json.Marshal(record)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	for name, value := range members {
		inner, isObject := value.(map[string]any)
		switch {
		case isObject:
			for innerName := range inner {
				assert.NotEmpty(t, inner[innerName], "%s.%s of %T", name, innerName, record)
			}
		default:
			assert.NotEmpty(t, value, "%s of %T", name, record)
		}
	}
}
