package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/store"
)

// exported returns a store and its export.
func exported(t *testing.T, records int) (store.Store, string) {
	from := store.NewMemory(store.Config{})
	for i := range records {
		_, err := from.Put(t.Context(), store.Record{
			Kind:    fmt.Sprint("kind ", i%3),
			Key:     fmt.Sprintf("%05d", i),
			Value:   []byte{byte(i), 0, '\n', 0xff},
			Source:  "s<&>",
			Group:   "g",
			Expires: time.Now().Add(time.Hour),
		})
		require.NoError(t, err)
	}
	var text bytes.Buffer
	count, err := store.Export(t.Context(), from, &text, nil)
	require.NoError(t, err)
	assert.Equal(t, records, count)
	return from, text.String()
}

func TestExportIsImportedWhole(t *testing.T) {
	t.Parallel()
	from, text := exported(t, 3500) // some pages of each kind
	to := store.NewMemory(store.Config{})
	seen := 0
	config := store.ImportConfig{From: strings.NewReader(text), Progress: func(records int) { seen = records }}
	done, err := store.Import(t.Context(), to, config)
	require.NoError(t, err)
	assert.Equal(t, store.Imported{Written: 3500}, done)
	assert.Equal(t, 3500, seen)
	config.From = strings.NewReader(text)
	_, err = store.Import(t.Context(), to, config)
	assert.ErrorIs(t, err, store.ErrNotEmpty)
	config.Add = true
	config.From = strings.NewReader(text)
	done, err = store.Import(t.Context(), to, config)
	require.NoError(t, err)
	assert.Equal(t, store.Imported{Present: 3500}, done)
	var want, got []store.Record
	require.NoError(t, store.Walk(t.Context(), from, func(r store.Record) error { want = append(want, r); return nil }))
	require.NoError(t, store.Walk(t.Context(), to, func(r store.Record) error { got = append(got, r); return nil }))
	for i := range want {
		want[i].Expires = want[i].Expires.Truncate(time.Second)
		assert.True(t, want[i].Expires.Equal(got[i].Expires))
		got[i].Expires = want[i].Expires
	}
	assert.Equal(t, want, got)
}

// TestDamagedExportIsRefused damages an export in every line. Nothing is written.
func TestDamagedExportIsRefused(t *testing.T) {
	t.Parallel()
	_, text := exported(t, 5)
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	damaged := map[string]string{
		"empty":         "",
		"another file":  "{}\n",
		"newer version": strings.Replace(text, `"version":1`, `"version":2`, 1),
		"more lines":    text + lines[1],
		"long line":     lines[0] + strings.Repeat("x", 1<<20),
	}
	for i := range lines {
		damaged[fmt.Sprint("cut before line ", i)] = strings.Join(lines[:i], "")
		if i > 0 && i < len(lines)-1 {
			damaged[fmt.Sprint("without line ", i)] = strings.Join(lines[:i], "") + strings.Join(lines[i+1:], "")
			damaged[fmt.Sprint("changed line ", i)] = strings.Replace(text, lines[i],
				strings.Replace(lines[i], `"group":"g"`, `"group":"h"`, 1), 1)
		}
	}
	for name, text := range damaged {
		to := store.NewMemory(store.Config{})
		_, err := store.Import(t.Context(), to, store.ImportConfig{From: strings.NewReader(text)})
		assert.Error(t, err, name)
		kinds, err := to.Kinds(t.Context())
		require.NoError(t, err)
		assert.Empty(t, kinds, name)
	}
}

func TestImportWritesAllOrNothing(t *testing.T) {
	t.Parallel()
	_, text := exported(t, 5)
	to := store.NewMemory(store.Config{})
	wrong := errors.New("wrong key")
	refuse := func(r *store.Record) error {
		if r.Key == "00004" {
			return wrong
		}
		return nil
	}
	_, err := store.Import(t.Context(), to, store.ImportConfig{From: strings.NewReader(text), Admit: refuse})
	assert.ErrorIs(t, err, wrong)
	kinds, err := to.Kinds(t.Context())
	require.NoError(t, err)
	assert.Empty(t, kinds)

	small := store.NewMemory(store.Config{MaxRecords: 1})
	_, err = store.Import(t.Context(), small, store.ImportConfig{From: strings.NewReader(text)})
	assert.ErrorContains(t, err, "raise its bound")
}
