package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

// caller is the structured answer of whoami: everything that the server knows of the caller,
// without credentials.
type caller struct {
	Kind       string    `json:"kind" jsonschema:"user, guest (from outside the tenant) or app (without a person)"`
	KindStated bool      `json:"kind_stated,omitempty" jsonschema:"If not, a user may be a guest"`
	Issuer     string    `json:"issuer" jsonschema:"The Entra issuer that vouches for the caller"`
	TenantID   string    `json:"tenant_id"`
	ObjectID   string    `json:"object_id"`
	Name       string    `json:"name,omitempty"`
	Username   string    `json:"username,omitempty"`
	ClientID   string    `json:"client_id" jsonschema:"The MCP client that the user approved"`
	ClientName string    `json:"client_name,omitempty" jsonschema:"What the client calls itself; not verified"`
	Scopes     []string  `json:"scopes"`
	Roles      []string  `json:"roles,omitempty" jsonschema:"The app roles in Entra"`
	Groups     []string  `json:"groups,omitempty" jsonschema:"The object IDs of groups in Entra"`
	Incomplete bool      `json:"groups_incomplete,omitempty" jsonschema:"Whether there are groups that are not listed"`
	Issued     time.Time `json:"token_issued"`
	Expiry     time.Time `json:"token_expires"`
}

func whoamiTool() mcp.Tool {
	return mcp.NewTool(
		"whoami",
		mcp.WithDescription(
			"Says what this server knows of you: user, tenant, client, scopes and how long the access token lives.",
		),
		mcp.WithTitleAnnotation("Who am I"),
		readOnly(),
		mcp.WithOpenWorldHintAnnotation(false),
		withOutputSchema[caller](),
	)
}

func (t *toolset) whoami(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	id, known := guard.FromContext(ctx)
	if !known {
		return t.failed("whoami", errNoCaller), nil
	}
	kind := id.Kind
	if kind == "" {
		kind = identity.User
	}
	c := caller{
		Kind:       string(kind),
		KindStated: id.KindStated,
		Roles:      slices.Clone(id.Roles),
		Groups:     slices.Clone(id.Groups),
		Incomplete: id.GroupsIncomplete,
		Issuer:     id.Issuer,
		TenantID:   id.TenantID,
		ObjectID:   id.ObjectID,
		Name:       id.Name,
		Username:   id.Username,
		ClientID:   id.ClientID,
		ClientName: id.ClientName,
		Scopes:     append([]string{}, id.Scopes...),
		Issued:     id.Issued.UTC(),
		Expiry:     id.Expiry.UTC(),
	}
	text := fmt.Sprintf(
		"%s (%s), object %s of tenant %s, by client %s, with the scopes %s, until %s",
		c.Name,
		c.Username,
		c.ObjectID,
		c.TenantID,
		c.ClientID,
		strings.Join(c.Scopes, " "),
		c.Expiry.Format(time.RFC3339),
	)
	switch {
	case kind == identity.App && len(id.Scopes) > 0:
		text = fmt.Sprintf("an application, client %s, with the scopes %s, until %s",
			c.ClientID, strings.Join(c.Scopes, " "), c.Expiry.Format(time.RFC3339))
	case kind == identity.App:
		text = fmt.Sprintf("an application, object %s of tenant %s, client %s, with the roles %s, until %s",
			c.ObjectID, c.TenantID, c.ClientID, strings.Join(c.Roles, " "), c.Expiry.Format(time.RFC3339))
	}
	return mcp.NewToolResultStructured(c, text), nil
}
