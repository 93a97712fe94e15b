package broker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// BenchmarkEndOfPerson measures how long it takes to end the grants of one person, and of one
// client, among 100,000 grants of 50,000 people.
func BenchmarkEndOfPerson(b *testing.B) {
	path := filepath.Join(b.TempDir(), "grants.db")
	kept, err := store.OpenFile(b.Context(), path, store.Config{MaxRecords: 1_000_000})
	require.NoError(b, err)
	defer kept.Close()
	made := newGrantHolder(b, kept)
	made.fill(b, 100_000)
	for b.Loop() {
		for i, filter := range []GrantFilter{
			{User: made.person(1).ObjectID},
			{User: made.username(2)},
			{ClientID: made.client(30)},
		} {
			began := time.Now()
			ended, err := made.EndGrants(b.Context(), filter, "a benchmark")
			require.NoError(b, err)
			require.Equal(b, []int{2, 2, 100}[i], ended)
			b.ReportMetric(time.Since(began).Seconds()*1000, []string{"ms/object", "ms/username", "ms/client"}[i])
		}
	}
}

// A grantHolder is a broker with grants and nothing else.
type grantHolder struct{ *Broker }

func newGrantHolder(b *testing.B, kept store.Store) grantHolder {
	keys, err := NewKeys(rand.Reader)
	require.NoError(b, err)
	config := Config{Store: kept, Keys: keys, Rand: rand.Reader, Now: time.Now}
	return grantHolder{&Broker{
		config:  config,
		log:     slog.New(slog.DiscardHandler),
		records: &sealedStore{store: kept, keys: keys, random: rand.Reader, now: time.Now},
	}}
}

func (h grantHolder) person(i int) identity.Principal {
	return identity.Principal{Issuer: "https://login.example/v2.0", TenantID: "t", ObjectID: fmt.Sprintf("%036d", i)}
}

func (h grantHolder) username(i int) string { return fmt.Sprintf("person%d@contoso.example", i) }

func (h grantHolder) client(i int) string { return fmt.Sprintf("client-%d", i) }

// fill makes grants. Each person has two, and each client a hundred.
func (h grantHolder) fill(b *testing.B, grants int) {
	all, ctx := errgroup.WithContext(b.Context())
	all.SetLimit(64)
	for i := range grants {
		all.Go(func() error { return h.add(ctx, i) })
	}
	require.NoError(b, all.Wait())
	done := &pass{broker: h.Broker, record: store.Record{Kind: kindMaintenance, Key: "rewriting"}}
	done.state.Names = namesVersion
	require.NoError(b, done.end(b.Context()))
}

func (h grantHolder) add(ctx context.Context, i int) error {
	made, err := h.newGrant(ctx, &authorizationCode{
		ClientID: h.client(i % 1000),
		Scopes:   []string{"user.read"},
		SignIn:   signIn{Principal: h.person(i / 2), Username: h.username(i / 2)},
	})
	if err != nil {
		return err
	}
	stored := h.newGrantRecord(made)
	return h.records.put(ctx, stored.record, stored.value)
}
