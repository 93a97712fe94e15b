package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// complete makes the missing IDs of a file, and replaces names by IDs.
func (f *File) complete() {
	for i := range f.Tenants {
		tenant := &f.Tenants[i]
		name := tenant.DisplayName
		if len(tenant.Domains) > 0 {
			name = tenant.Domains[0]
		}
		give(&tenant.ID, "tenant", name)
		for j := range tenant.Apps {
			give(&tenant.Apps[j].ID, "app", tenant.ID, tenant.Apps[j].DisplayName)
		}
		for j := range tenant.Users {
			give(&tenant.Users[j].ID, "user", tenant.ID, tenant.Users[j].UserPrincipalName)
		}
		for j := range tenant.Groups {
			give(&tenant.Groups[j].ID, "group", tenant.ID, tenant.Groups[j].DisplayName)
		}
		for j := range tenant.ManagedIdentities {
			tenant.ManagedIdentities[j].complete(tenant.ID)
		}
	}
	for i := range f.Tenants {
		f.Tenants[i].complete(f)
	}
}

// complete replaces the names of people, groups and apps by their object IDs.
func (t *Tenant) complete(f *File) {
	principals := map[string]string{}
	apps := map[string]string{}
	for i := range f.Tenants {
		for j := range f.Tenants[i].Apps {
			if app := &f.Tenants[i].Apps[j]; app.MultiTenant && &f.Tenants[i] != t {
				apps[strings.ToLower(app.DisplayName)] = app.ID
			}
		}
	}
	t.completeServicePrincipals(apps, principals, f)
	for i := range t.Apps {
		apps[strings.ToLower(t.Apps[i].DisplayName)] = t.Apps[i].ID
		principals[strings.ToLower(t.Apps[i].DisplayName)] = t.PrincipalID(&t.Apps[i])
	}
	for _, identity := range t.ManagedIdentities {
		principals[strings.ToLower(identity.DisplayName)] = identity.ObjectID
	}
	for _, group := range t.Groups {
		principals[strings.ToLower(group.DisplayName)] = group.ID
	}
	for _, user := range t.Users {
		principals[strings.ToLower(user.UserPrincipalName)] = user.ID
	}
	for i := range t.Groups {
		findAll(t.Groups[i].Members, principals)
	}
	for i := range t.Policies {
		findAll(t.Policies[i].Users, principals)
		findAll(t.Policies[i].Apps, apps)
	}
	for i := range t.Apps {
		findAll(t.Apps[i].PreAuthorized, apps)
		for j := range t.Apps[i].Assignments {
			principal := &t.Apps[i].Assignments[j].Principal
			*principal = find(*principal, principals)
		}
	}
	for i := range t.Users {
		if home := (&Directory{Tenants: f.Tenants}).Tenant(t.Users[i].HomeTenant); home != nil {
			t.Users[i].HomeTenant = home.ID
		}
	}
}

// findAll replaces the names in a list by IDs.
func findAll(names []string, ids map[string]string) {
	for i, name := range names {
		names[i] = find(name, ids)
	}
}

// find returns the ID for a name. It returns an unknown name as it is, so that Check refuses it.
func find(name string, ids map[string]string) string {
	if id := ids[strings.ToLower(name)]; id != "" && !IsGUID(name) {
		return id
	}
	return name
}

// give makes an ID from names, unless there is an ID or the last name is empty.
func give(id *string, names ...string) {
	if *id != "" || names[len(names)-1] == "" {
		return
	}
	*id = guidOf(names...)
}

// guidOf makes a GUID from names. The same names always give the same GUID, in any case.
func guidOf(names ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(names, "|"))))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
