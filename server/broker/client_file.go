package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxClientFile bounds the file of clients, in bytes.
	maxClientFile = 4 << 20
	// clientFileAge is the time for which the broker believes what it has read from the file.
	clientFileAge = time.Second
)

// A clientFile holds the clients that the operator registers. It reads its file again while the
// broker runs. If the new text is wrong, the clients of the last good one stay.
type clientFile struct {
	name  string
	parse func(text []byte) (map[string]*client, error)
	now   func() time.Time
	log   *slog.Logger

	known atomic.Pointer[map[string]*client]

	mu      sync.Mutex
	checked time.Time
	text    []byte // the last text, good or wrong
	problem string // the last problem that was logged
}

// openClients reads the file of clients if the policy has one.
func (b *Broker) openClients() (err error) {
	if b.config.Clients.File == "" {
		return nil
	}
	b.file, err = openClientFile(&clientFile{
		name:  b.config.Clients.File,
		parse: b.parseClients,
		now:   b.now,
		log:   b.log,
	})
	if err != nil {
		return fmt.Errorf("broker: %s: %w", settingClientFile, err)
	}
	return nil
}

// openClientFile reads the file for the first time.
func openClientFile(f *clientFile) (*clientFile, error) {
	text, err := readClientFile(f.name)
	if err != nil {
		return nil, err
	}
	known, err := f.parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	f.text = text
	f.checked = f.now()
	f.known.Store(&known)
	return f, nil
}

// find returns the client of an ID, or nil.
func (f *clientFile) find(ctx context.Context, id string) *client {
	if f == nil {
		return nil
	}
	f.readAgain(ctx)
	found := (*f.known.Load())[id]
	if found == nil {
		return nil
	}
	copied := *found
	return &copied
}

// offers reports whether a client in the file may use a grant type.
func (f *clientFile) offers(ctx context.Context, grantType string) bool {
	if f == nil {
		return false
	}
	f.readAgain(ctx)
	for _, known := range *f.known.Load() {
		if known.mayUse(grantType) {
			return true
		}
	}
	return false
}

// readAgain reads the file if the last reading is old. While one request reads, the others use the
// clients that are known.
func (f *clientFile) readAgain(ctx context.Context) {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	if f.now().Sub(f.checked) < clientFileAge {
		return
	}
	f.checked = f.now()
	text, err := readClientFile(f.name)
	if err != nil {
		f.report(ctx, err)
		return
	}
	if bytes.Equal(text, f.text) && f.problem == "" {
		return
	}
	f.text = text
	known, err := f.parse(text)
	if err != nil {
		f.report(ctx, fmt.Errorf("%s: %w", f.name, err))
		return
	}
	f.problem = ""
	f.known.Store(&known)
	f.log.InfoContext(ctx, "the pre-registered clients were read again", "file", f.name, "clients", len(known))
}

// report logs a problem once.
func (f *clientFile) report(ctx context.Context, err error) {
	if err.Error() == f.problem {
		return
	}
	f.problem = err.Error()
	f.log.ErrorContext(ctx, "the file of pre-registered clients cannot be used, so the clients read before stay",
		"error", err, "setting", settingClientFile)
}

// readClientFile reads a file that only its owner can write. Anyone who can write it can make a
// client whose answers people's browsers follow.
func readClientFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("other users can write %s: chmod go-w it", name)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxClientFile+1))
	var failed *fs.PathError
	switch {
	case errors.As(err, &failed):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) > maxClientFile:
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxClientFile)
	}
	return text, nil
}
