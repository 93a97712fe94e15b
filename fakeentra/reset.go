package fakeentra

import (
	"fmt"
	"slices"
	"time"

	"mcpentra/fakeentra/internal/rules"

	"mcpentra/fakeentra/directory"
)

// Reset makes the fake as it was at its start: nobody is signed in, nothing is consented to, every
// code and token is forgotten, the first keys sign, the clock is Config.Now, journal and script are
// empty. The directory stays, and Config.Rand goes on where it is.
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

// SetDirectory replaces the directory. People stay signed in, and codes and tokens stay good, as
// long as the tenant, the person and the app are still there, by their IDs. Its error says what is
// wrong with the new directory, and that the old one stays.
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
	if app == &rules.GraphApp {
		return app
	}
	if dynamic, found := f.registered.Peek(app.ID); found {
		return dynamic
	}
	return f.directory.App(tenant, app.ID)
}

// move leads the pointers of a delegation into the new directory. It reports false when something
// is gone.
func (f *Fake) move(d *rules.Delegation) bool {
	if d.Tenant = f.directory.Tenant(d.Tenant.ID); d.Tenant == nil {
		return false
	}
	if d.Client, d.User = f.moved(d.Tenant, d.Client), d.Tenant.User(d.User.ID); d.Client == nil || d.User == nil {
		return false
	}
	asked := rules.Permissions{OIDC: d.Asked.OIDC}
	for _, group := range d.Asked.Groups {
		if group.App = f.moved(d.Tenant, group.App); group.App == nil {
			return false
		}
		asked.Groups = append(asked.Groups, group)
	}
	d.Asked = &asked
	return true
}

func (f *Fake) moveDevice(held *deviceCode) bool {
	home := f.directory.HomeOf(held.client)
	place := *held.place
	if place.Tenant != nil {
		if place.Tenant = f.directory.Tenant(place.Tenant.ID); place.Tenant == nil {
			return false
		}
		home = place.Tenant
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
	held.apps = slices.DeleteFunc(slices.Clone(held.apps), func(one signedApp) bool {
		return f.rules.AnyApp(one.app.ID) == nil
	})
	for i := range held.apps {
		held.apps[i].app = f.rules.AnyApp(held.apps[i].app.ID)
	}
}
