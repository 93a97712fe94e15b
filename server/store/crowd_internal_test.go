package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCrowdIsCountedOnce fills a kind from sources with one record each.
func TestCrowdIsCountedOnce(t *testing.T) {
	t.Parallel()
	const bound = 300
	opened, err := OpenFile(t.Context(), filepath.Join(t.TempDir(), "s.db"), Config{MaxRecords: bound})
	require.NoError(t, err)
	defer opened.Close()
	f := opened.(*file)
	create := func(key, source string) {
		_, err := f.Put(t.Context(), Record{
			Kind:    "k",
			Key:     key,
			Source:  source,
			Expires: time.Now().Add(time.Hour),
		})
		require.NoError(t, err)
	}
	for i := range bound + 1 {
		create(fmt.Sprint("first ", i), fmt.Sprint("source ", i))
	}
	left := len(f.crowds["k"].sources)
	assert.Equal(t, bound-1, left, "all sources except the one that lost its record")
	for i := range 100 {
		create(fmt.Sprint("second ", i), fmt.Sprint("newcomer ", i))
	}
	assert.Len(t, f.crowds["k"].sources, left-100, "the sources are not counted again")

	create("more", "newcomer 7")
	assert.Nil(t, f.crowds["k"], "one source has more than the others now")
	create("last", "newcomer 100")
	ofOne, err := f.List(t.Context(), Query{Kind: "k", Source: "newcomer 7"})
	require.NoError(t, err)
	assert.Len(t, ofOne, 1)
	all, err := f.List(t.Context(), Query{Kind: "k", Limit: MaxList})
	require.NoError(t, err)
	assert.Len(t, all, bound)
}
