package fakeentra

import (
	"fmt"

	"mcpentra/fakeentra/directory"
)

// Reset restores the start of the fake. Sessions, consent, codes and tokens are gone, the first
// keys sign, the clock is Config.Now, journal and script are empty. The directory stays, and
// Config.Rand continues.
func (f *Fake) Reset() {
	f.directoryMu.Lock()
	defer f.directoryMu.Unlock()
	f.keys.Reset()
	f.state.Reset()
	f.clock.reset()
	f.journal.Clear()
	f.script.Clear()
	_ = f.script.SetChaos(f.config.Chaos) // checked when the fake was made
}

// Directory returns the present directory.
func (f *Fake) Directory() directory.Directory {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	return f.directory
}

// SetDirectory replaces the directory. Sessions, codes and tokens stay valid as long as their
// tenant, person and app still exist, by their IDs. An error says what is wrong with the new
// directory; the old one stays.
func (f *Fake) SetDirectory(d directory.Directory) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("fakeentra: the directory stays as it was: %w", err)
	}
	f.directoryMu.Lock()
	defer f.directoryMu.Unlock()
	f.directory = d
	f.state.Rebind(&f.directory)
	return nil
}
