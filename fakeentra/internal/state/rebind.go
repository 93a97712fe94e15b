package state

import (
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// Rebind points all entries at a new directory. People stay signed in, and codes and tokens stay
// valid, if the new directory has the IDs of their tenant, person and app. Rebind forgets all other
// entries.
func (s *State) Rebind(d *directory.Directory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := binding{d, s}
	s.documents.Purge()
	s.rebindPrincipals(d)
	for _, key := range s.codes.Keys() {
		code, found := s.codes.Peek(key)
		if !found {
			continue
		}
		moved := *code
		if b.delegation(&moved.Delegation) {
			s.codes.Add(key, &moved)
		} else {
			s.codes.Remove(key)
		}
	}
	for _, key := range s.refreshTokens.Keys() {
		token, found := s.refreshTokens.Peek(key)
		if !found {
			continue
		}
		moved := *token
		if b.delegation(&moved.Delegation) || b.keepRevoked(&moved.Delegation, token.Delegation.User) {
			s.refreshTokens.Add(key, &moved)
		} else {
			s.refreshTokens.Remove(key)
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

// A binding moves pointers from one directory to another, by ID.
type binding struct {
	directory *directory.Directory
	state     *State
}

// app returns the new directory's app with the same ID, or nil.
func (b binding) app(tenant *directory.Tenant, app *directory.App) *directory.App {
	if app == &rules.GraphApp {
		return app
	}
	if api := b.directory.MicrosoftAPI(app.ID); api != nil {
		return api
	}
	if registered, found := b.state.registered.Peek(app.ID); found {
		return registered
	}
	return b.directory.App(tenant, app.ID)
}

// delegation moves a delegation. It reports false if the new directory lacks its tenant, person or
// app.
func (b binding) delegation(d *rules.Delegation) bool {
	d.Tenant = b.directory.Tenant(d.Tenant.ID)
	if d.Tenant == nil {
		return false
	}
	d.Client = b.app(d.Tenant, d.Client)
	d.User = d.Tenant.User(d.User.ID)
	if d.Client == nil || d.User == nil {
		return false
	}
	asked := rules.Permissions{OIDC: d.Asked.OIDC}
	for _, group := range d.Asked.Groups {
		group.App = b.app(d.Tenant, group.App)
		if group.App == nil {
			return false
		}
		asked.Groups = append(asked.Groups, group)
	}
	d.Asked = &asked
	return true
}

// keepRevoked keeps the revoked token of a user that the new directory lacks, so that the error for
// it stays the same. It gets a delegation that has a tenant and a client, but no user.
func (b binding) keepRevoked(d *rules.Delegation, user *directory.User) bool {
	if d.Tenant == nil || d.Client == nil || d.User != nil {
		return false
	}
	copied := *user // does not keep the old directory in memory
	d.User = &copied
	d.Asked = &rules.Permissions{OIDC: d.Asked.OIDC}
	return b.state.revoked(d)
}

// device moves the request of a device. It reports false if the new directory lacks its tenant or
// app.
func (b binding) device(device *DeviceCode) bool {
	path := *device.Path
	if path.Tenant != nil {
		path.Tenant = b.directory.Tenant(path.Tenant.ID)
		if path.Tenant == nil {
			return false
		}
	}
	home := path.Tenant
	if home == nil { // at a shared endpoint the app can belong to any tenant
		home = b.homeOf(device.Client.ID)
	}
	if home == nil {
		return false
	}
	device.Path = &path
	device.Client = b.app(home, device.Client)
	if device.Client == nil {
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

// homeOf returns the new directory's tenant with an app, or nil.
func (b binding) homeOf(clientID string) *directory.Tenant {
	for i := range b.directory.Tenants {
		if tenant := &b.directory.Tenants[i]; tenant.App(clientID) != nil {
			return tenant
		}
	}
	return nil
}

// session moves a session. People and apps that the new directory lacks drop out.
func (b binding) session(browser *session) {
	var users []SignedIn
	for _, person := range browser.users {
		person.Tenant = b.directory.Tenant(person.Tenant.ID)
		if person.Tenant == nil {
			continue
		}
		person.User = person.Tenant.User(person.User.ID)
		if person.User != nil {
			users = append(users, person)
		}
	}
	browser.users = users
	entra := rules.Rules{Directory: b.directory}
	var apps []SignedApp
	for _, signed := range browser.apps {
		signed.App = entra.AnyApp(signed.App.ID)
		if signed.App != nil {
			apps = append(apps, signed)
		}
	}
	browser.apps = apps
}
