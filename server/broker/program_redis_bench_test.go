package broker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mcpclient "mcpentra/client"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server/internal/engine"
	"mcpentra/server/internal/programs"
	"mcpentra/server/store"
	"mcpentra/server/store/redis"
)

// BenchmarkRefreshesRedis measures refreshes per second with a store in Redis that writes each
// change to its disk.
func BenchmarkRefreshesRedis(b *testing.B) {
	const connections = 64
	server := engine.StartRedis(b)
	url := server.URL("bench")
	s := &loadedServer{Pair: programs.New(b, programs.Build(b), b.TempDir())}
	key, err := NewKeysText(rand.Reader)
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(s.Keys, []byte(key), 0o600))
	s.Start("STORE_URL=" + url)
	transport, err := mcpclient.New(mcpclient.Config{
		Server: s.Origin + "/mcp",
		Base:   &http.Transport{},
		Browser: func(ctx context.Context, page string) error {
			_, err := (&useragent.Browser{}).Visit(ctx, page)
			return err
		},
	})
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, listTools(b, &http.Client{Transport: transport}, s.Origin, ""))
	shared, err := redis.Open(b.Context(), redis.Config{URL: url})
	require.NoError(b, err)
	defer shared.Close()
	s.copyGrant(b, shared, 1000)
	reused := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	b.Cleanup(reused.CloseIdleConnections)
	s.client = &http.Client{Transport: reused}
	s.refreshFor(b, connections, time.Second)
	for b.Loop() {
		began := time.Now()
		done := s.refreshFor(b, connections, 5*time.Second)
		b.ReportMetric(float64(done)/time.Since(began).Seconds(), "1/s")
	}
	b.ReportMetric(1500, "1/s>=")
}

// copyGrant makes holders of grants that are copies of the one in the store.
func (s *loadedServer) copyGrant(b *testing.B, shared store.Store, holders int) {
	text, err := os.ReadFile(s.Keys)
	require.NoError(b, err)
	keys, err := ReadKeys(string(text))
	require.NoError(b, err)
	made := &Broker{config: Config{Keys: keys, Rand: rand.Reader, Now: time.Now}}
	page, err := shared.List(b.Context(), store.Query{Kind: kindGrant})
	require.NoError(b, err)
	require.Len(b, page, 1)
	var g grant
	require.NoError(b, (&sealedStore{store: shared, keys: keys, now: time.Now}).read(b.Context(), page[0], &g))
	s.clientID = g.ClientID
	for i := range holders {
		id := fmt.Sprintf("%s%06d", page[0].Key[:idLength-6], (i*7919)%1_000_000)
		refresh, err := made.newRefreshToken(id)
		require.NoError(b, err)
		g.Principal.ObjectID = fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		g.RefreshHash = hashed(refresh)
		text, err := json.Marshal(g)
		require.NoError(b, err)
		record := store.Record{Kind: kindGrant, Key: id, Source: made.personSource(g.Principal)}
		record.Expires = page[0].Expires
		record.Value, err = keys.seal(rand.Reader, time.Now(), text, placeOf(record))
		require.NoError(b, err)
		_, err = shared.Put(b.Context(), record)
		require.NoError(b, err)
		s.holders = append(s.holders, &holder{refresh: refresh})
	}
}
