package acceptance_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// racers is the number of redemptions that meet.
const racers = 64

// TestRaces lets 64 requests redeem one code at two replicas. One of them wins, and its grant ends:
// all but one of the requests were not the program's.
func TestRaces(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, kind storeKind) {
		races := full(2, 10_000)
		if kind.far {
			races = full(2, 500)
		}
		w := newWorld(t, options{store: kind.open(t), replicas: replicas})
		program := w.register(0, metadata())
		b := w.browser()
		for range races {
			race(t, w, b, program.ClientID)
		}
	})
}

func race(t *testing.T, w *world, b *browser, clientID string) {
	form := redemption(clientID, loopback, b.codeFor(clientID, loopback, "user.read", 1))
	var all sync.WaitGroup
	start := make(chan struct{})
	got := make([]told, racers)
	for i := range got {
		all.Go(func() {
			<-start
			got[i] = w.token(i%replicas, form)
		})
	}
	close(start)
	all.Wait()
	var won []told
	for _, one := range got {
		if one.status == http.StatusOK {
			won = append(won, one)
			continue
		}
		require.Equal(t, "invalid_grant", one.Error)
	}
	require.Len(t, won, 1, "the winners")
	for i := range replicas {
		after := w.token(i, refreshing(clientID, won[0].Refresh))
		require.Equal(t, "invalid_grant", after.Error, "the grant of a code that was replayed")
	}
}
