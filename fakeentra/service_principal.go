package fakeentra

// A ServicePrincipal is the presence of an app in a tenant.
type ServicePrincipal struct {
	TenantID    string `json:"tenant"`
	AppID       string `json:"app"`
	DisplayName string `json:"displayName"`
	ObjectID    string `json:"objectId"`
	// ByConsent is true if a person's consent made it. Reset forgets it. Otherwise it is part of
	// the directory.
	ByConsent bool `json:"byConsent"`
}

// ServicePrincipals returns the apps of each tenant: its own apps, the apps that its directory
// lists, and the apps that consent brought. Graph is in every tenant and is not listed.
func (f *Fake) ServicePrincipals() []ServicePrincipal {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	all := []ServicePrincipal{}
	for i := range f.directory.Tenants {
		tenant := &f.directory.Tenants[i]
		for j := range f.directory.Tenants {
			apps := f.directory.Tenants[j].Apps
			for k := range apps {
				app := &apps[k]
				_, listed := tenant.ServicePrincipal(app)
				created := f.state.CreatedPrincipal(tenant.ID, app.ID)
				if f.directory.App(tenant, app.ID) != app || !listed && !created {
					continue
				}
				all = append(all, ServicePrincipal{
					TenantID:    tenant.ID,
					AppID:       app.ID,
					DisplayName: app.DisplayName,
					ObjectID:    tenant.PrincipalID(app),
					ByConsent:   !listed,
				})
			}
		}
	}
	return all
}
