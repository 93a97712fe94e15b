package tokenstore_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

var place = tokenstore.Place{Resource: "https://mcp.example.com/mcp"}

func openFile(t *testing.T, folder string, keychain *tokenstore.Keychain) *tokenstore.File {
	tokens, err := tokenstore.OpenFile(folder, keychain)
	require.NoError(t, err)
	return tokens
}

func holding(access string) tokenstore.Record {
	var record tokenstore.Record
	record.Put("https://login.example.com", tokenstore.Entry{Token: tokenrequest.Token{Access: access, Refresh: access}})
	return record
}

// assertPrivate fails for a folder, or a file in it, that others can read, and for one that says in
// the clear what it holds.
func assertPrivate(t *testing.T, folder string, secrets ...string) {
	t.Helper()
	info, err := os.Stat(folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // a writer has just renamed it
		}
		require.NoError(t, err)
		if info, err := file.Info(); err == nil {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file.Name())
		}
		for _, secret := range append(secrets, "mcp.example.com", "login.example.com", "token") {
			assert.False(
				t,
				bytes.Contains(bytes.TrimPrefix(text, []byte("mcp-entra-client record 1\n")), []byte(secret)),
				"%s holds %s",
				file.Name(),
				secret,
			)
		}
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes there")
	}
	folder := filepath.Join(t.TempDir(), "a", "b")
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
	assertPrivate(t, folder, "secret-1")
	assert.Equal(t, "the file "+filepath.Join(folder, "key"), tokens.KeyLocation())

	require.NoError(t, os.Chmod(folder, 0o777)) // #nosec G302 -- what somebody else may have done
	record, err := openFile(t, folder, nil).Load(t.Context(), place)
	require.NoError(t, err)
	assert.Equal(t, holding("secret-1"), record)
	assertPrivate(t, folder, "secret-1")

	require.NoError(t, os.Chmod(filepath.Join(folder, "key"), 0o644)) // #nosec G302 -- as above
	_, err = tokenstore.OpenFile(folder, nil)
	require.ErrorContains(t, err, "others can read")
}

func TestPlantedLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links are not for everybody there")
	}
	outside := t.TempDir()
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
	records, err := filepath.Glob(filepath.Join(folder, "*.record"))
	require.NoError(t, err)
	require.Len(t, records, 1)

	target := filepath.Join(outside, "target")
	require.NoError(t, os.Rename(records[0], target))
	require.NoError(t, os.Symlink(target, records[0]))
	_, err = tokens.Load(t.Context(), place)
	require.Error(t, err, "a record is not read through a link")
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-2")), "and not written through one")
	record, err := tokens.Load(t.Context(), place)
	require.NoError(t, err)
	assert.Equal(t, holding("secret-2"), record)

	require.NoError(t, os.Rename(filepath.Join(folder, "key"), target))
	require.NoError(t, os.Symlink(target, filepath.Join(folder, "key")))
	_, err = tokenstore.OpenFile(folder, nil)
	require.Error(t, err)

	link := filepath.Join(outside, "link")
	require.NoError(t, os.Symlink(folder, link))
	_, err = tokenstore.OpenFile(link, nil)
	require.ErrorContains(t, err, "not a folder of its own")
}

func TestRecordsThatWereTamperedWith(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]byte) []byte{
		"a bit":       func(text []byte) []byte { text[len(text)-1] ^= 1; return text },
		"cut":         func(text []byte) []byte { return text[:len(text)/2] },
		"emptied":     func([]byte) []byte { return nil },
		"something":   func([]byte) []byte { return []byte(`{"record":{}}`) },
		"a long file": func(text []byte) []byte { return append(text, make([]byte, 2<<20)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			tokens := openFile(t, folder, nil)
			require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
			records, err := filepath.Glob(filepath.Join(folder, "*.record"))
			require.NoError(t, err)
			text, err := os.ReadFile(records[0])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(records[0], change(text), 0o600))
			_, err = tokens.Load(t.Context(), place)
			require.ErrorContains(t, err, "token store: ")
			assert.NotContains(t, err.Error(), "secret")
		})
	}

	// One record in place of another.
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	other := tokenstore.Place{Resource: "https://evil.example.com/mcp"}
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
	before, err := filepath.Glob(filepath.Join(folder, "*.record"))
	require.NoError(t, err)
	require.NoError(t, tokens.Save(t.Context(), other, holding("secret-2")))
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

func TestFullDiskKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	tokens := openFile(t, folder, nil)
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
	// Too much is refused as a disk would refuse it: before anything is replaced.
	require.ErrorContains(t, tokens.Save(t.Context(), place, holding(strings.Repeat("x", 1<<20))), "at most")
	record, err := tokens.Load(t.Context(), place)
	require.NoError(t, err)
	assert.Equal(t, holding("secret-1"), record)
	left, err := filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestKeyLiesInTheKeychain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	secret := ""
	asked := 0
	working := &tokenstore.Keychain{
		Get: func() (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			if secret == "" {
				return "", tokenstore.ErrNoSecret
			}
			return secret, nil
		},
		Set: func(text string) error { mu.Lock(); defer mu.Unlock(); secret = text; return nil },
	}
	folder := t.TempDir()
	tokens := openFile(t, folder, working)
	assert.Equal(t, "the system's keychain", tokens.KeyLocation())
	assert.NoFileExists(t, filepath.Join(folder, "key"))
	require.NoError(t, tokens.Save(t.Context(), place, holding("secret-1")))
	key, err := base64.StdEncoding.DecodeString(secret)
	require.NoError(t, err)
	assert.Len(t, key, 32)

	record, err := openFile(t, folder, working).Load(t.Context(), place)
	require.NoError(t, err)
	assert.Equal(t, holding("secret-1"), record)

	// Without the keychain nothing can be read, and nothing is lost.
	for name, broken := range map[string]*tokenstore.Keychain{
		"none":           nil,
		"locked":         {Get: func() (string, error) { return "", errors.New("locked") }},
		"not to be told": {Get: func() (string, error) { return "", tokenstore.ErrNoSecret }, Set: func(string) error { return errors.New("locked") }},
		"full of others": {Get: func() (string, error) { return "c2hvcnQ=", nil }},
	} {
		elsewhere := openFile(t, folder, broken)
		assert.Contains(t, elsewhere.KeyLocation(), "the file ", name)
		record, err := elsewhere.Load(t.Context(), place)
		require.NoError(t, err, name)
		assert.Empty(t, record.Entries, name)
		require.NoError(t, elsewhere.Save(t.Context(), place, holding("secret-2")), name)
		record, err = openFile(t, folder, working).Load(t.Context(), place)
		require.NoError(t, err, name)
		assert.Equal(t, holding("secret-1"), record, name)
		places, err := elsewhere.Places(t.Context())
		require.NoError(t, err, name)
		assert.Equal(t, []tokenstore.Place{place}, places, name)
		require.NoError(t, elsewhere.Save(t.Context(), place, tokenstore.Record{}), name)
	}
}

func TestManyThatBeginAtOnceHaveOneKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			tokens, err := tokenstore.OpenFile(folder, nil)
			if assert.NoError(t, err) {
				assert.NoError(t, tokens.Save(t.Context(), tokenstore.Place{Resource: strconv.Itoa(i)}, holding("t")))
			}
		})
	}
	group.Wait()
	places, err := openFile(t, folder, nil).Places(t.Context())
	require.NoError(t, err)
	assert.Len(t, places, 8)
}

// TestKilledWriterLeavesAWholeRecord kills a process that writes all the time, again and again.
func TestKilledWriterLeavesAWholeRecord(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	openFile(t, folder, nil)
	last := 0
	for range 10 {
		writer := exec.CommandContext(t.Context(), os.Args[0])
		writer.Env = append(
			os.Environ(),
			"TOKENSTORE_TEST_WRITES="+folder,
			"TOKENSTORE_TEST_FROM="+strconv.Itoa(last+1),
		)
		out, err := writer.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, writer.Start())
		lines := bufio.NewScanner(out)
		told := last
		reader := openFile(t, folder, nil)
		for range 10 {
			require.True(t, lines.Scan(), "the writer tells what it has written")
			told, err = strconv.Atoi(lines.Text())
			require.NoError(t, err)
			_, err := reader.Load(t.Context(), place)
			require.NoError(t, err, "whoever reads meanwhile sees a whole one, too")
		}
		require.NoError(t, writer.Process.Kill()) // SIGKILL, wherever it is now
		for lines.Scan() {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				break
			}
		}
		_ = writer.Wait()
		record, err := openFile(t, folder, nil).Load(t.Context(), place)
		require.NoError(t, err, "never torn")
		_, entry, found := record.InUse()
		require.True(t, found)
		number, padding, _ := strings.Cut(entry.Token.Access, " ")
		last, err = strconv.Atoi(number)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, last, told, "what was kept stays kept")
		assert.Len(t, padding, 64<<10, "and whole")
		assertPrivate(t, folder, "padding")
		unlock, err := openFile(t, folder, nil).Lock(t.Context(), place)
		require.NoError(t, err, "a killed process holds no lock")
		unlock()
	}
	// What it left behind is cleared away in time.
	left, err := filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	for _, path := range left {
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)))
	}
	openFile(t, folder, nil)
	left, err = filepath.Glob(filepath.Join(folder, "new-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// writes is the process that is killed.
func writes(folder string) {
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
		unlock, err := tokens.Lock(ctx, place)
		if err == nil {
			err = tokens.Save(ctx, place, holding(fmt.Sprintf("%d %s", n, padding)))
		}
		if err != nil {
			panic(err)
		}
		unlock()
		fmt.Println(n)
	}
}
