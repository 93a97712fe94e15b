package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// BenchmarkFileAfterExpiry measures the size of a file in use, relative to its records, after every
// second of 10,000 records has expired.
func BenchmarkFileAfterExpiry(b *testing.B) {
	for b.Loop() {
		c := &clock{}
		path := filepath.Join(b.TempDir(), "s.db")
		s, err := store.OpenFile(b.Context(), path, store.Config{Now: c.now})
		require.NoError(b, err)
		put := func(key string, lives time.Duration) int {
			record := store.Record{Kind: "k", Key: key, Source: key, Expires: c.now().Add(lives)}
			record.Value = bytes.Repeat([]byte("v"), 2000+len(key)*100)
			_, err := s.Put(b.Context(), record)
			require.NoError(b, err)
			return len(record.Value) + len(key) + len(record.Source)
		}
		kept := 0
		for i := range 5000 {
			kept += put(fmt.Sprintf("%022d", i), 10*time.Hour)
			put(fmt.Sprintf("expires %022d", i), time.Hour)
		}
		c.later(2 * time.Hour)
		put("starts the search for expired records", time.Hour)
		require.NoError(b, s.Close())
		info, err := os.Stat(path)
		require.NoError(b, err)
		b.ReportMetric(float64(info.Size())/float64(kept), "ratio")
	}
	b.ReportMetric(1.5, "ratio<=")
}
