package directory

import (
	"cmp"
	"fmt"
	"strings"
)

// A ManagedIdentity is an identity that Azure gives to a machine or an app. Programs on it get
// app-only tokens without a secret.
type ManagedIdentity struct {
	ID          string `yaml:"id"`       // client ID, a GUID
	ObjectID    string `yaml:"objectId"` // principal ID, a GUID; oid and sub of its tokens
	DisplayName string `yaml:"displayName"`
	// ResourceID is the identifier at Azure Resource Manager, /subscriptions/…. Requests can name a
	// user-assigned identity by it. Empty means that the tokens do not show it.
	ResourceID string `yaml:"resourceId"`
	// SystemAssigned is true for the identity of the machine itself. A directory has at most one,
	// because a fake is one machine.
	SystemAssigned bool `yaml:"systemAssigned"`
}

// App returns the identity as a client, with an object ID.
func (m *ManagedIdentity) App() *App {
	return &App{
		ID:          m.ID,
		ObjectID:    cmp.Or(m.ObjectID, guidOf("managed identity principal", m.ID)),
		DisplayName: m.DisplayName,
	}
}

// complete makes the missing IDs of an identity.
func (m *ManagedIdentity) complete(tenantID string) {
	give(&m.ID, "managed identity", tenantID, m.DisplayName)
	give(&m.ObjectID, "managed identity principal", tenantID, m.DisplayName)
}

func (c *checker) managedIdentities(path string, tenant *Tenant) {
	for i := range tenant.ManagedIdentities {
		identity := &tenant.ManagedIdentities[i]
		where := fmt.Sprintf("%s.managedIdentities[%d]", path, i)
		c.id(where, "managed identity", identity.DisplayName, identity.ID)
		if identity.ObjectID != "" && !IsGUID(identity.ObjectID) {
			c.add(where+".objectId", "directory: managed identity %q: want a GUID as object ID, got %q",
				identity.DisplayName, identity.ObjectID)
		}
		if identity.ResourceID != "" && !strings.HasPrefix(identity.ResourceID, "/subscriptions/") {
			c.add(where+".resourceId", "directory: managed identity %q: want an ID like /subscriptions/…, got %q",
				identity.DisplayName, identity.ResourceID)
		}
		if identity.SystemAssigned && c.hasSystemAssigned {
			c.add(where+".systemAssigned", "directory: managed identity %q: want at most one system-assigned identity",
				identity.DisplayName)
		}
		c.hasSystemAssigned = c.hasSystemAssigned || identity.SystemAssigned
	}
}
