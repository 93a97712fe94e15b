package state

import (
	"slices"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// Rebind points everything at a new directory. People stay signed in, and codes and tokens stay
// good, as long as their tenant, person and app still exist, by their IDs. Everything else is
// forgotten.
func (s *State) Rebind(d *directory.Directory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := binding{d, s}
	s.documents.Purge()
	for _, key := range s.codes.Keys() {
		if code, found := s.codes.Peek(key); found {
			if moved := *code; b.delegation(&moved.Delegation) {
				s.codes.Add(key, &moved)
			} else {
				s.codes.Remove(key)
			}
		}
	}
	for _, key := range s.refreshTokens.Keys() {
		if token, found := s.refreshTokens.Peek(key); found {
			if moved := *token; b.delegation(&moved.Delegation) {
				s.refreshTokens.Add(key, &moved)
			} else {
				s.refreshTokens.Remove(key)
			}
		}
	}
	for _, key := range s.devices.Keys() {
		if device, found := s.devices.Peek(key); found && !b.device(device) {
			s.devices.Remove(key)
			s.userCodes.Remove(device.UserCode)
		}
	}
	for _, key := range s.sessions.Keys() {
		if browser, found := s.sessions.Peek(key); found {
			b.session(browser)
		}
	}
}

// A binding moves pointers from an old directory to a new one, by ID.
type binding struct {
	directory *directory.Directory
	state     *State
}

// app finds an app of the old directory in the new one, or nil.
func (b binding) app(tenant *directory.Tenant, app *directory.App) *directory.App {
	if app == &rules.GraphApp {
		return app
	}
	if registered, found := b.state.registered.Peek(app.ID); found {
		return registered
	}
	return b.directory.App(tenant, app.ID)
}

// delegation moves a delegation. It reports false when its tenant, person or app is gone.
func (b binding) delegation(d *rules.Delegation) bool {
	if d.Tenant = b.directory.Tenant(d.Tenant.ID); d.Tenant == nil {
		return false
	}
	d.Client = b.app(d.Tenant, d.Client)
	d.User = d.Tenant.User(d.User.ID)
	if d.Client == nil || d.User == nil {
		return false
	}
	asked := rules.Permissions{OIDC: d.Asked.OIDC}
	for _, group := range d.Asked.Groups {
		if group.App = b.app(d.Tenant, group.App); group.App == nil {
			return false
		}
		asked.Groups = append(asked.Groups, group)
	}
	d.Asked = &asked
	return true
}

// device moves the request of a device. It reports false when its tenant or app is gone.
func (b binding) device(device *DeviceCode) bool {
	home := b.directory.HomeOf(device.Client)
	path := *device.Path
	if path.Tenant != nil {
		if path.Tenant = b.directory.Tenant(path.Tenant.ID); path.Tenant == nil {
			return false
		}
		home = path.Tenant
	}
	if home == nil { // at a shared endpoint the app of any tenant will do
		for i := range b.directory.Tenants {
			if b.directory.Tenants[i].App(device.Client.ID) != nil {
				home = &b.directory.Tenants[i]
			}
		}
	}
	if home == nil {
		return false
	}
	device.Path = &path
	if device.Client = b.app(home, device.Client); device.Client == nil {
		return false
	}
	if device.granted != nil {
		granted := *device.granted
		if !b.delegation(&granted) {
			return false
		}
		device.granted = &granted
	}
	return true
}

// session moves a session, without the people and apps that are gone.
func (b binding) session(browser *session) {
	var users []SignedIn
	for _, person := range browser.users {
		if person.Tenant = b.directory.Tenant(person.Tenant.ID); person.Tenant == nil {
			continue
		}
		if person.User = person.Tenant.User(person.User.ID); person.User != nil {
			users = append(users, person)
		}
	}
	browser.users = users
	entra := rules.Rules{Directory: b.directory}
	browser.apps = slices.DeleteFunc(slices.Clone(browser.apps), func(signed SignedApp) bool {
		return entra.AnyApp(signed.App.ID) == nil
	})
	for i := range browser.apps {
		browser.apps[i].App = entra.AnyApp(browser.apps[i].App.ID)
	}
}
