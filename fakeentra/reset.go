package fakeentra

import (
	"fmt"
	"slices"
	"time"

	"mcpentra/fakeentra/directory"
)

// Reset makes the fake as it was at its start: nobody is signed in, nothing is consented to, every code and token is
// forgotten, the first keys sign, the clock is Config.Now, journal and script are empty. The directory stays, and
// Config.Rand goes on where it is.
func (f *Fake) Reset() {
	f.world.Lock()
	defer f.world.Unlock()
	f.mu.Lock()
	f.revokedAt = map[string]time.Time{}
	f.mu.Unlock()
	f.keys.Reset()
	f.codes.Purge()
	f.refresh.Purge()
	f.sessions.Purge()
	f.consents.Purge()
	f.devices.Purge()
	f.userCodes.Purge()
	f.strong.Purge()
	f.registered.Purge()
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

// SetDirectory replaces the directory. People stay signed in, and codes and tokens stay good, as long as the tenant, the
// person and the app are still there, by their IDs. Its error says what is wrong with the new directory, and that the
// old one stays.
func (f *Fake) SetDirectory(d directory.Directory) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("fakeentra: the directory stays as it was: %w", err)
	}
	f.world.Lock()
	defer f.world.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.directory = d
	f.documents.Purge()
	for _, key := range f.codes.Keys() {
		if held, found := f.codes.Peek(key); found {
			if moved := *held; f.move(&moved.delegation) {
				f.codes.Add(key, &moved)
			} else {
				f.codes.Remove(key)
			}
		}
	}
	for _, key := range f.refresh.Keys() {
		if held, found := f.refresh.Peek(key); found {
			if moved := *held; f.move(&moved.delegation) {
				f.refresh.Add(key, &moved)
			} else {
				f.refresh.Remove(key)
			}
		}
	}
	for _, key := range f.devices.Keys() {
		if held, found := f.devices.Peek(key); found && !f.moveDevice(held) {
			f.devices.Remove(key)
			f.userCodes.Remove(held.userCode)
		}
	}
	for _, key := range f.sessions.Keys() {
		if held, found := f.sessions.Peek(key); found {
			f.moveSession(held)
		}
	}
	return nil
}

// moved finds what stands in the new directory for an app of the old one.
func (f *Fake) moved(tenant *directory.Tenant, app *directory.App) *directory.App {
	if app == &graphApp {
		return app
	}
	if dynamic, found := f.registered.Peek(app.ID); found {
		return dynamic
	}
	return f.directory.App(tenant, app.ID)
}

// move leads the pointers of a delegation into the new directory. It reports false when something is gone.
func (f *Fake) move(d *delegation) bool {
	if d.tenant = f.directory.Tenant(d.tenant.ID); d.tenant == nil {
		return false
	}
	if d.client, d.user = f.moved(d.tenant, d.client), d.tenant.User(d.user.ID); d.client == nil || d.user == nil {
		return false
	}
	asked := permissions{oidc: d.asked.oidc}
	for _, group := range d.asked.groups {
		if group.app = f.moved(d.tenant, group.app); group.app == nil {
			return false
		}
		asked.groups = append(asked.groups, group)
	}
	d.asked = &asked
	return true
}

func (f *Fake) moveDevice(held *deviceCode) bool {
	home := f.directory.HomeOf(held.client)
	place := *held.place
	if place.tenant != nil {
		if place.tenant = f.directory.Tenant(place.tenant.ID); place.tenant == nil {
			return false
		}
		home = place.tenant
	}
	if home == nil { // at a shared endpoint any tenant's app will do
		for i := range f.directory.Tenants {
			if f.directory.Tenants[i].App(held.client.ID) != nil {
				home = &f.directory.Tenants[i]
			}
		}
	}
	if home == nil {
		return false
	}
	held.place = &place
	if held.client = f.moved(home, held.client); held.client == nil {
		return false
	}
	if held.granted != nil {
		granted := *held.granted
		if !f.move(&granted) {
			return false
		}
		held.granted = &granted
	}
	return true
}

func (f *Fake) moveSession(held *session) {
	var users []signedIn
	for _, one := range held.users {
		if one.tenant = f.directory.Tenant(one.tenant.ID); one.tenant == nil {
			continue
		}
		if one.user = one.tenant.User(one.user.ID); one.user != nil {
			users = append(users, one)
		}
	}
	held.users = users
	held.apps = slices.DeleteFunc(slices.Clone(held.apps), func(one signedApp) bool { return f.anyApp(one.app.ID) == nil })
	for i := range held.apps {
		held.apps[i].app = f.anyApp(held.apps[i].app.ID)
	}
}
