package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// look is the time between two looks at the directory file. Polling its time and size works on
// every file system, also in containers, where change notifications do not arrive.
const look = 250 * time.Millisecond

// A watch follows a directory file.
type watch struct {
	name string
	text []byte
	file *directory.File
	seen os.FileInfo
}

// newWatch reads the file for the first time.
func newWatch(name string) (*watch, error) {
	w := &watch{name: name}
	text, err := w.read()
	if err != nil {
		return nil, err
	}
	w.text = text
	w.file, err = directory.Parse(name, text)
	return w, err
}

// read reads the file, up to the size limit of a directory.
func (w *watch) read() ([]byte, error) {
	file, err := os.Open(w.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w.seen, err = file.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, directory.MaxFile+1))
}

// follow applies changes until the context ends.
func (w *watch) follow(ctx context.Context, fake *fakeentra.Fake) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if said := w.update(fake); said != "" {
				fmt.Fprintf(os.Stderr, "fakeentra: %s\n", said)
				warn(os.Stderr, w.file)
			}
		}
	}
}

// update applies a change of the file, and describes the result. Empty means no change. An
// editor may remove the file for a moment. That does not count as a change.
func (w *watch) update(fake *fakeentra.Fake) string {
	info, err := os.Stat(w.name)
	if err != nil ||
		info.ModTime().Equal(w.seen.ModTime()) && info.Size() == w.seen.Size() && os.SameFile(info, w.seen) {
		return ""
	}
	text, err := w.read()
	if err != nil || bytes.Equal(text, w.text) {
		return ""
	}
	w.text = text
	file, err := directory.Parse(w.name, text)
	if err == nil {
		err = fake.SetDirectory(file.Directory())
	}
	if err != nil {
		return fmt.Sprintf("the directory stays as it was: %s", strings.TrimPrefix(err.Error(), "fakeentra: "))
	}
	if !reflect.DeepEqual(file.Faults, w.file.Faults) {
		if err := fake.Script().Replace(file.Faults...); err != nil {
			return err.Error()
		}
	}
	w.file = file
	return w.name + " has changed; the fake uses it now"
}
