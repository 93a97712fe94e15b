package fakeentra

import (
	"fmt"

	"mcpentra/fakeentra/directory"
)

// Reset restores the fake's first state. It forgets sessions, consent, codes and tokens, empties
// the journal and the script, and goes back to the first keys and to Config.Now. The directory
// stays, and Config.Rand continues.
func (f *Fake) Reset() {
	f.directoryMu.Lock()
	defer f.directoryMu.Unlock()
	f.keys.Reset()
	f.state.Reset()
	f.clock.reset()
	f.journal.Clear()
	f.script.Clear()
	_ = f.script.SetChaos(f.config.Chaos) // New has checked it
}

// Directory returns the present directory.
func (f *Fake) Directory() directory.Directory {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	return f.directory
}

// SetDirectory replaces the directory. Sessions, codes and tokens stay valid if the new directory
// has the IDs of their tenant, person and app. It revokes the tokens of the people who lost their
// account or whose account is newly disabled, like Revoke. An error lists the mistakes in the new
// directory, and the present one stays.
func (f *Fake) SetDirectory(d directory.Directory) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("fakeentra: the directory was not replaced: %w", err)
	}
	f.directoryMu.Lock()
	defer f.directoryMu.Unlock()
	revokeMissing(f.state, &f.directory, &d, f.clock.now())
	f.directory = d
	f.state.Rebind(&f.directory)
	return nil
}
