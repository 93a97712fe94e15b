package fakeentra

import (
	"fmt"

	"mcpentra/fakeentra/directory"
)

// Reset makes the fake as it was at its start: nobody is signed in, nothing is consented to, every
// code and token is forgotten, the first keys sign, the clock is Config.Now, journal and script are
// empty. The directory stays, and Config.Rand goes on where it is.
func (f *Fake) Reset() {
	f.world.Lock()
	defer f.world.Unlock()
	f.keys.Reset()
	f.state.Reset()
	f.clock.reset()
	f.journal.Clear()
	f.script.Clear()
	_ = f.script.SetChaos(f.config.Chaos) // checked when the fake was made
}

// Directory is what the fake knows at present.
func (f *Fake) Directory() directory.Directory {
	f.world.RLock()
	defer f.world.RUnlock()
	return f.directory
}

// SetDirectory replaces the directory. People stay signed in, and codes and tokens stay good, as
// long as the tenant, the person and the app are still there, by their IDs. Its error says what is
// wrong with the new directory, and that the old one stays.
func (f *Fake) SetDirectory(d directory.Directory) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("fakeentra: the directory stays as it was: %w", err)
	}
	f.world.Lock()
	defer f.world.Unlock()
	f.directory = d
	f.state.Rebind(&f.directory)
	return nil
}
