package fakeentra_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

// A whole sign-in with its mishaps is a snapshot: under a seed, and by a clock that stands still,
// it is the same in every run, and holds no secret.
func TestTranscriptIsASnapshot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	fake := newFake(
		t,
		fakeentra.Config{AutoSignIn: true, Rand: rand.NewChaCha8([32]byte{1}), Now: func() time.Time { return now }},
	)
	fake.InjectFor(t, fault.Fault{On: endpoint.Token, Status: http.StatusTooManyRequests, RetryAfter: time.Minute})
	get(t, fake, tenantURL+"/v2.0/.well-known/openid-configuration")
	code := signIn(t, fake, nil)
	token(t, fake, redemption(code, nil))
	got := token(t, fake, redemption(code, nil))
	token(t, fake, redemption(code, nil))
	token(t, fake, refreshing(got.text("refresh_token"), nil))
	me, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	me.Header.Set("Authorization", "Bearer "+got.text("access_token"))
	do(t, fake, me)
	get(t, fake, tenantURL+"/oauth2/v2.0/authorize?client_id=missing")
	snaps.WithConfig(snaps.Dir("../testdata/snapshots"), snaps.Filename("fakeentra-transcript"), snaps.Ext(".txt")).
		MatchStandaloneSnapshot(t, fake.Journal().String())
}

// A thousand fakes in one process, all at once, each with its own port and its own issuer.
func TestThousandFakesRunAtOnce(t *testing.T) {
	t.Parallel()
	const fakes, workers = 1000, 16
	servers := make([]*fakeentra.Server, fakes)
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < fakes; i += workers {
				servers[i] = fakeentra.NewServer(fakeentra.Config{})
			}
		})
	}
	group.Wait()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for worker := range workers {
		group.Go(func() {
			for i := worker; i < fakes; i += workers {
				response, err := client.Get(
					servers[i].URL + fmt.Sprintf("/common/v2.0/.well-known/openid-configuration?n=%d", i),
				)
				if assert.NoError(t, err) {
					response.Body.Close()
				}
				assert.Equal(t, 1, servers[i].Journal().Count(journal.Filter{}), "no other request")
			}
		})
	}
	group.Wait()
	for _, server := range servers {
		server.Close()
	}
}
