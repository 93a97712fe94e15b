package tokenstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
)

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes on Windows")
	}
	folder := filepath.Join(t.TempDir(), "a", "b")
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
	assertPrivate(t, folder, "secret-1")
	assert.Equal(t, "the file "+filepath.Join(folder, "key"), tokens.EncryptionKeyLocation())

	require.NoError(t, os.Chmod(folder, 0o777)) // #nosec G302 -- OpenFile has to correct it
	record, err := openFile(t, folder, nil).Load(t.Context(), mcpKey)
	require.NoError(t, err)
	assert.Equal(t, recordOf("secret-1"), record)
	assertPrivate(t, folder, "secret-1")

	require.NoError(t, os.Chmod(filepath.Join(folder, "key"), 0o644)) // #nosec G302 -- OpenFile has to refuse it
	_, err = tokenstore.OpenFile(folder, nil)
	require.ErrorContains(t, err, "with mode 0600, got 0644: other users can read it")
}

func TestFileRefusesLinks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("only administrators create links on Windows")
	}
	outside := t.TempDir()
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
	records, err := filepath.Glob(filepath.Join(folder, "*.record"))
	require.NoError(t, err)
	require.Len(t, records, 1)

	target := filepath.Join(outside, "target")
	require.NoError(t, os.Rename(records[0], target))
	require.NoError(t, os.Symlink(target, records[0]))
	_, err = tokens.Load(t.Context(), mcpKey)
	require.Error(t, err, "Load does not read through a link")
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-2")), "Save replaces the link")
	record, err := tokens.Load(t.Context(), mcpKey)
	require.NoError(t, err)
	assert.Equal(t, recordOf("secret-2"), record)

	require.NoError(t, os.Rename(filepath.Join(folder, "key"), target))
	require.NoError(t, os.Symlink(target, filepath.Join(folder, "key")))
	_, err = tokenstore.OpenFile(folder, nil)
	require.Error(t, err)

	link := filepath.Join(outside, "link")
	require.NoError(t, os.Symlink(folder, link))
	_, err = tokenstore.OpenFile(link, nil)
	require.ErrorContains(t, err, "want a folder at "+link)
}

func TestLoadRefusesChangedFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"one bit", func(text []byte) []byte { text[len(text)-1] ^= 1; return text }},
		{"half the file", func(text []byte) []byte { return text[:len(text)/2] }},
		{"an empty file", func([]byte) []byte { return nil }},
		{"another format", func([]byte) []byte { return []byte(`{"record":{}}`) }},
		{"two more mebibytes", func(text []byte) []byte { return append(text, make([]byte, 2<<20)...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			tokens := openFile(t, folder, nil)
			require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
			records, err := filepath.Glob(filepath.Join(folder, "*.record"))
			require.NoError(t, err)
			text, err := os.ReadFile(records[0])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(records[0], c.change(text), 0o600))
			_, err = tokens.Load(t.Context(), mcpKey)
			require.ErrorContains(t, err, "to sign in again")
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestLoadRefusesRecordOfAnotherKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	other := tokenstore.Key{Resource: "https://evil.example.com/mcp"}
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
	before, err := filepath.Glob(filepath.Join(folder, "*.record"))
	require.NoError(t, err)
	require.NoError(t, tokens.Save(t.Context(), other, recordOf("secret-2")))
	after, err := filepath.Glob(filepath.Join(folder, "*.record"))
	require.NoError(t, err)
	for _, path := range after {
		if path != before[0] {
			require.NoError(t, os.Rename(before[0], path))
		}
	}
	_, err = tokens.Load(t.Context(), other)
	require.Error(t, err)
}

// TestRefusedSaveKeepsRecord saves a record that is too long. It is refused as on a full disk:
// before anything is replaced.
func TestRefusedSaveKeepsRecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), mcpKey, recordOf("secret-1")))
	require.ErrorContains(t, tokens.Save(t.Context(), mcpKey, recordOf(strings.Repeat("x", 1<<20))), "at most")
	record, err := tokens.Load(t.Context(), mcpKey)
	require.NoError(t, err)
	assert.Equal(t, recordOf("secret-1"), record)
	incomplete, err := filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	assert.Empty(t, incomplete)
}

// TestKilledWriterLeavesWholeRecord kills a process that saves all the time, several times.
func TestKilledWriterLeavesWholeRecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	openFile(t, folder, nil)
	last := 0
	for range 10 {
		announced := killWriter(t, folder, last+1)
		record, err := openFile(t, folder, nil).Load(t.Context(), mcpKey)
		require.NoError(t, err, "the record is whole")
		_, entry, found := record.InUse()
		require.True(t, found)
		number, padding, _ := strings.Cut(entry.Token.Access, " ")
		last, err = strconv.Atoi(number)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, last, announced, "a saved record stays saved")
		assert.Len(t, padding, 64<<10)
		assertPrivate(t, folder, "padding")
		unlock, err := openFile(t, folder, nil).Lock(t.Context(), mcpKey)
		require.NoError(t, err, "a killed process holds no lock")
		unlock()
	}

	incomplete, err := filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	for _, path := range incomplete {
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)))
	}
	openFile(t, folder, nil)
	incomplete, err = filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	assert.Empty(t, incomplete, "OpenFile removes old incomplete files")
}

// killWriter starts a writer that counts from a number, kills it after a while, and returns the
// last number that the writer announced.
func killWriter(t *testing.T, folder string, from int) int {
	t.Helper()
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(
		os.Environ(),
		"TOKENSTORE_TEST_WRITES="+folder,
		"TOKENSTORE_TEST_FROM="+strconv.Itoa(from),
	)
	out, err := writer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, writer.Start())
	lines := bufio.NewScanner(out)
	announced := from - 1
	reader := openFile(t, folder, nil)
	for range 10 {
		require.True(t, lines.Scan(), "the writer prints each number that it has saved")
		announced, err = strconv.Atoi(lines.Text())
		require.NoError(t, err)
		_, err = reader.Load(t.Context(), mcpKey)
		require.NoError(t, err, "readers see whole records, too")
	}
	require.NoError(t, writer.Process.Kill()) // SIGKILL, at any point of a save
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break
		}
		announced = n
	}
	_ = writer.Wait()
	return announced
}

// writeForever saves one record after the other, and prints the number of each one.
func writeForever(folder string) {
	tokens, err := tokenstore.OpenFile(folder, nil)
	if err != nil {
		panic(err)
	}
	from, err := strconv.Atoi(os.Getenv("TOKENSTORE_TEST_FROM"))
	if err != nil {
		panic(err)
	}
	padding := strings.Repeat("padding-", 8<<10)
	ctx := context.Background()
	for n := from; ; n++ {
		unlock, err := tokens.Lock(ctx, mcpKey)
		if err == nil {
			err = tokens.Save(ctx, mcpKey, recordOf(fmt.Sprintf("%d %s", n, padding)))
		}
		if err != nil {
			panic(err)
		}
		unlock()
		fmt.Println(n)
	}
}
