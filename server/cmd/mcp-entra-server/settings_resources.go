package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/broker"
)

// A resourceEntry is one resource in the file of resources. Its members are named as in RFC 9728
// section 2, except the scopes, which people read about on the consent page.
type resourceEntry struct {
	URL    string       `json:"resource"`
	Name   string       `json:"resource_name"`
	Scopes []scopeEntry `json:"scopes"`
}

// A scopeEntry is one scope of a resource.
type scopeEntry struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Graph       []string `json:"graph"`
}

// maxResourcesFile bounds the file of resources, in bytes.
const maxResourcesFile = 1 << 20

// readResources reads the other resources of the broker.
func (s *settings) readResources() error {
	const key = "AUTH_RESOURCES_FILE"
	name := s.get(key)
	if name == "" {
		return nil
	}
	if s.direct != nil {
		return s.wrong(key, "is for AUTH_MODE=broker: in direct mode Entra issues all tokens; remove it")
	}
	text, err := readResourcesFile(name)
	if err != nil {
		return s.wrong(key, "cannot be used: %v", err)
	}
	s.resources, err = parseResources(text)
	if err != nil {
		return s.wrong(key, "cannot be used: %s: %v", name, err)
	}
	return nil
}

// readResourcesFile reads a file that only its owner can write. Anyone who can write it can make
// the server issue tokens for another resource.
func readResourcesFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxResourcesFile:
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", name, maxResourcesFile)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("other users can write %s: chmod go-w it", name)
	}
	return os.ReadFile(name)
}

// parseResources reads the text of the file. It refuses unknown and repeated members. The broker
// checks the URLs and the scopes.
func parseResources(text []byte) ([]broker.Resource, error) {
	var file struct {
		Resources []resourceEntry `json:"resources"`
	}
	err := json.Unmarshal(text, &file, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return nil, fmt.Errorf("the member %s is not known here", semantic.JSONPointer)
	case errors.As(err, &semantic):
		return nil, fmt.Errorf("the member %s has the wrong type", semantic.JSONPointer)
	case errors.As(err, &syntactic):
		return nil, fmt.Errorf("not JSON, or a member is there twice, at byte %d (%s)",
			syntactic.ByteOffset, syntactic.JSONPointer)
	case err != nil:
		return nil, errors.New("not JSON")
	case len(file.Resources) == 0:
		return nil, errors.New(`want a JSON object with the member "resources", an array of at least one resource`)
	}
	var made []broker.Resource
	for i, entry := range file.Resources {
		described := broker.Resource{URL: entry.URL, Name: entry.Name}
		for _, scope := range entry.Scopes {
			if scope.Description == "" {
				return nil, fmt.Errorf("resource %d (%s): scope %q: description is missing: the consent page shows it "+
					"after \"would like to\"", i+1, entry.URL, scope.Name)
			}
			described.Scopes = append(described.Scopes, broker.Scope{
				Name:        scope.Name,
				Description: scope.Description,
				Upstream:    scope.Graph,
			})
		}
		made = append(made, described)
	}
	return made, nil
}
