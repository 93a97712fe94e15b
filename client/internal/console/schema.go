package console

import (
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// Bounds of the text that a schema becomes. A server has written the schema.
const (
	maxShownNames   = 50   // parameters of one object
	maxShownValues  = 20   // values of an enumeration, members of a union
	maxShownDepth   = 4    // nested objects and lists
	maxShownLines   = 200  // lines about one tool
	maxShownText    = 1000 // characters of a description
	maxShownWord    = 100  // characters of a name or a value
	maxReferences   = 16   // references from one schema to the next
	maxUnionMembers = 20   // members of a union whose types are read
	maxSchemas      = 1000 // schemas inside one tool's that become words
	maxNamesTried   = 1000 // names that are compared with a misspelt one
)

// A Parameter is a parameter of a tool.
type Parameter struct {
	// Name is harmless for a terminal.
	Name string
	// Type describes the type in words. It is harmless for a terminal.
	Type     string
	Required bool

	sent   string // the name as the server sent it
	schema any
}

// A schema is a tool's input schema (JSON Schema).
type schema struct {
	parameters  []Parameter
	definitions map[string]any // $defs
	open        bool           // accepts parameters that it does not name
	left        int            // how many more schemas become words; see maxSchemas
}

func readSchema(input mcp.ToolInputSchema) schema {
	s := schema{definitions: input.Defs, left: maxSchemas}
	switch additional := input.AdditionalProperties.(type) {
	case bool:
		s.open = additional
	case nil:
		s.open = len(input.Properties) == 0
	default:
		s.open = true
	}
	s.parameters = s.members(input.Properties, input.PropertyOrder, input.Required)
	return s
}

// members returns the properties of an object, in the given order and then by name.
func (s *schema) members(properties map[string]any, order, required []string) []Parameter {
	byName := slices.Sorted(maps.Keys(properties))
	var all []Parameter
	seen := map[string]bool{}
	isRequired := map[string]bool{}
	for _, name := range required {
		isRequired[name] = true
	}
	for _, name := range slices.Concat(order, byName) {
		property, found := properties[name]
		if !found || seen[name] {
			continue
		}
		seen[name] = true
		all = append(all, Parameter{
			Name:     short(name),
			Type:     s.typeOf(property, 0),
			Required: isRequired[name],
			sent:     name,
			schema:   property,
		})
	}
	for _, name := range required {
		if !seen[name] {
			seen[name] = true
			all = append(all, Parameter{
				Name:     short(name),
				Type:     "anything",
				Required: true,
				sent:     name,
			})
		}
	}
	return all
}

// keywords are the keywords of JSON Schema that become words.
var keywords = []string{
	"type", "enum", "const", "anyOf", "oneOf", "items", "properties", "required", "description", "title", "format",
	"pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
	"minItems", "maxItems", "default",
}

// resolve follows references inside the schema, and the only member of an allOf. Keywords beside a
// reference count, and win over the referenced schema's. It fetches nothing.
func (s *schema) resolve(definition any) map[string]any {
	merged := map[string]any{}
	for range maxReferences {
		object, ok := definition.(map[string]any)
		if !ok {
			return nil
		}
		next, refers := s.reference(object)
		if !refers && len(merged) == 0 {
			return object
		}
		for _, keyword := range keywords {
			value, found := object[keyword]
			if _, nearer := merged[keyword]; found && !nearer {
				merged[keyword] = value
			}
		}
		if !refers {
			return merged
		}
		definition = next
	}
	return nil
}

// reference returns the schema that another one refers to. It is nil if the reference leads
// outside.
func (s *schema) reference(object map[string]any) (definition any, refers bool) {
	if reference, ok := object["$ref"].(string); ok {
		name, inside := strings.CutPrefix(reference, "#/$defs/")
		if !inside {
			return nil, true
		}
		return s.definitions[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)], true
	}
	if members, ok := object["allOf"].([]any); ok && len(members) == 1 {
		return members[0], true
	}
	return nil, false
}

// typeNames returns the types that a schema names itself.
func typeNames(object map[string]any) []string {
	switch named := object["type"].(type) {
	case string:
		return []string{named}
	case []any:
		var all []string
		for _, member := range named[:min(len(named), maxUnionMembers)] {
			if name, ok := member.(string); ok {
				all = append(all, name)
			}
		}
		return all
	}
	return nil
}

// objectOf returns the first member of a union that has properties, for example of an object or
// null.
func (s *schema) objectOf(union map[string]any) map[string]any {
	for _, keyword := range []string{"anyOf", "oneOf"} {
		members, _ := union[keyword].([]any)
		for _, member := range members[:min(len(members), maxUnionMembers)] {
			if object := s.resolve(member); object["properties"] != nil {
				return object
			}
		}
	}
	return nil
}
