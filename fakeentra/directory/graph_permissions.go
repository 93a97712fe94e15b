package directory

import (
	"bytes"
	_ "embed" // the permissions
	"fmt"
	"slices"
	"strings"
	"sync"
)

// graphPermissions has a line for each permission of Microsoft Graph. Its first lines explain the
// columns.
//
//go:embed graph_permissions.tsv
var graphPermissions []byte

// A graphAPI holds the permissions of Microsoft Graph.
type graphAPI struct {
	scopes  []Scope
	roles   []Role
	scopeAt map[string]*Scope // by name in lower case
	roleAt  map[string]*Role  // by value in lower case
}

var graphAPIOnce = sync.OnceValue(func() *graphAPI {
	api, err := readGraphPermissions(graphPermissions)
	if err != nil {
		panic(fmt.Sprintf("directory: graph_permissions.tsv: %v", err)) // our own file
	}
	return api
})

// GraphScopes returns the delegated permissions of Microsoft Graph, the OpenID Connect scopes
// included.
func GraphScopes() []Scope { return slices.Clone(graphAPIOnce().scopes) }

// GraphRoles returns the application permissions of Microsoft Graph.
func GraphRoles() []Role { return slices.Clone(graphAPIOnce().roles) }

// readGraphPermissions parses the list of permissions.
func readGraphPermissions(text []byte) (*graphAPI, error) {
	api := &graphAPI{scopeAt: map[string]*Scope{}, roleAt: map[string]*Role{}}
	seen := map[string]bool{"name": true} // the head of the table
	for line := range bytes.Lines(text) {
		cells := strings.Split(strings.TrimSpace(string(line)), "\t")
		if strings.HasPrefix(cells[0], "#") || cells[0] == "name" {
			continue
		}
		if len(cells) != 3 || seen[strings.ToLower(cells[0])] {
			return nil, fmt.Errorf("want a new name, who may consent to each form, got %q", line)
		}
		name := cells[0]
		seen[strings.ToLower(name)] = true
		switch cells[1] {
		case "user", "admin":
			api.scopes = append(api.scopes, Scope{
				Name:        name,
				DisplayName: graphTexts[name],
				AdminOnly:   cells[1] == "admin",
			})
		case "-":
		default:
			return nil, fmt.Errorf("%s: want user, admin or - in the column delegated, got %q", name, cells[1])
		}
		switch cells[2] {
		case "admin":
			api.roles = append(api.roles, Role{Value: name, DisplayName: graphTexts[name]})
		case "-":
		default:
			return nil, fmt.Errorf("%s: want admin or - in the column application, got %q", name, cells[2])
		}
	}
	for i := range api.scopes {
		api.scopeAt[strings.ToLower(api.scopes[i].Name)] = &api.scopes[i]
	}
	for i := range api.roles {
		api.roleAt[strings.ToLower(api.roles[i].Value)] = &api.roles[i]
	}
	return api, nil
}

// graphTexts are the texts on the consent page, for the usual permissions. The page shows the name
// of any other permission.
var graphTexts = map[string]string{
	"Calendars.Read":       "Read your calendars",
	"Calendars.ReadWrite":  "Read and change your calendars",
	"Contacts.Read":        "Read your contacts",
	"Directory.Read.All":   "Read the directory",
	"Files.Read":           "Read your files",
	"Files.Read.All":       "Read all files that you can open",
	"Files.ReadWrite":      "Read and change your files",
	"Group.Read.All":       "Read all groups",
	"GroupMember.Read.All": "Read group memberships",
	"Mail.Read":            "Read your mail",
	"Mail.Send":            "Send mail as you",
	"People.Read":          "Read the list of people who matter to you",
	"Sites.Read.All":       "Read all sites that you can open",
	"Tasks.Read":           "Read your tasks",
	"User.Read":            "Sign you in and read your profile",
	"User.Read.All":        "Read all users' full profiles",
	"User.ReadBasic.All":   "Read all users' basic profiles",
	"email":                "View your e-mail address",
	"offline_access":       "Maintain access to data you have given it access to",
	"openid":               "Sign you in",
	"profile":              "View your basic profile",
}
