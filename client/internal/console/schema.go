package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// Bounds of what is shown of a schema, which a server has written.
const (
	maxShownNames   = 50   // parameters of one object
	maxShownValues  = 20   // values of an enumeration, members of a union
	maxShownDepth   = 4    // objects and lists in each other
	maxShownLines   = 200  // of one tool
	maxShownText    = 1000 // characters of a description
	maxShownWord    = 100  // characters of a name or a value
	maxReferences   = 16   // from one schema to the next
	maxUnionMembers = 20   // that are looked at for types
	maxSchemas      = 1000 // inside one tool's, that are put into words
	maxNamesTried   = 1000 // that are compared with a misspelt one
)

// A Parameter is one that a tool takes.
type Parameter struct {
	// Name and Type are fit for a terminal. Type is in words.
	Name, Type string
	Required   bool

	sent   string // the name as the server sent it
	schema any
}

// A schema is what a tool takes, as JSON Schema says it.
type schema struct {
	parameters []Parameter
	definition map[string]any // of $defs
	open       bool           // it takes parameters that it does not name
	left       int            // schemas to look at for words; see maxSchemas
}

func readSchema(input mcp.ToolInputSchema) schema {
	s := schema{definition: input.Defs, left: maxSchemas}
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

// members are the properties of an object, in the order that is given and then by name.
func (s *schema) members(properties map[string]any, order, required []string) []Parameter {
	rest := slices.Sorted(maps.Keys(properties))
	var all []Parameter
	seen := map[string]bool{}
	wanted := map[string]bool{}
	for _, name := range required {
		wanted[name] = true
	}
	for _, name := range slices.Concat(order, rest) {
		property, there := properties[name]
		if !there || seen[name] {
			continue
		}
		seen[name] = true
		all = append(all, Parameter{
			Name:     short(name),
			Type:     s.typeOf(property, 0),
			Required: wanted[name],
			sent:     name,
			schema:   property,
		})
	}
	for _, name := range required {
		if !seen[name] {
			seen[name] = true
			all = append(all, Parameter{Name: short(name), Type: "anything", Required: true, sent: name})
		}
	}
	return all
}

// keywords are those of JSON Schema that are put into words.
var keywords = []string{
	"type", "enum", "const", "anyOf", "oneOf", "items", "properties", "required", "description", "title", "format",
	"pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
	"minItems", "maxItems", "default",
}

// resolve follows references inside the schema, and the only member of an allOf. What stands beside
// a reference counts too. It fetches nothing.
func (s *schema) resolve(of any) map[string]any {
	beside := map[string]any{}
	for range maxReferences {
		object, is := of.(map[string]any)
		if !is {
			return nil
		}
		next, refers := s.next(object)
		if !refers && len(beside) == 0 {
			return object
		}
		for _, keyword := range keywords {
			value, there := object[keyword]
			if _, nearer := beside[keyword]; there && !nearer {
				beside[keyword] = value
			}
		}
		if !refers {
			return beside
		}
		of = next
	}
	return nil
}

// next is the schema that one refers to.
func (s *schema) next(object map[string]any) (next any, refers bool) {
	if reference, is := object["$ref"].(string); is {
		name, inside := strings.CutPrefix(reference, "#/$defs/")
		if !inside {
			return nil, true
		}
		return s.definition[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)], true
	}
	if members, is := object["allOf"].([]any); is && len(members) == 1 {
		return members[0], true
	}
	return nil, false
}

// typeOf says in words which values a schema takes.
func (s *schema) typeOf(of any, depth int) string {
	object := s.resolve(of)
	s.left--
	if object == nil || depth > maxShownDepth || s.left < 0 {
		return "anything"
	}
	if value, fixed := object["const"]; fixed {
		return "always " + literal(value)
	}
	if values, is := object["enum"].([]any); is && len(values) > 0 {
		return "one of " + several(values, ", ", literal)
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if members, is := object[keyword].([]any); is && len(members) > 0 {
			return several(members, " or ", func(member any) string { return s.typeOf(member, depth+1) })
		}
	}
	var names []any
	for _, name := range typeNames(object) {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "anything"
	}
	return several(names, " or ", func(name any) string {
		if name == "array" {
			return s.listOf(object, depth)
		}
		return short(fmt.Sprint(name))
	})
}

func (s *schema) listOf(object map[string]any, depth int) string {
	if object["items"] == nil {
		return "list"
	}
	return "list of " + s.typeOf(object["items"], depth+1)
}

// typeNames are the types that a schema names for itself.
func typeNames(object map[string]any) []string {
	switch named := object["type"].(type) {
	case string:
		return []string{named}
	case []any:
		var all []string
		for _, one := range named[:min(len(named), maxUnionMembers)] {
			if name, is := one.(string); is {
				all = append(all, name)
			}
		}
		return all
	}
	return nil
}

// several joins values in words, the first of them if there are many.
func several(values []any, between string, word func(any) string) string {
	var words []string
	for _, value := range values[:min(len(values), maxShownValues)] {
		if one := word(value); !slices.Contains(words, one) {
			words = append(words, one)
		}
	}
	text := strings.Join(words, between)
	if more := len(values) - maxShownValues; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return cut(text, maxShownText)
}

// literal is a value as JSON.
func literal(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return "?"
	}
	return short(strings.TrimSpace(text.String()))
}

// short makes a server's word fit for a line of a terminal.
func short(word string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Printable(cut(word, maxShownWord)))
}

// cut bounds a text.
func cut(text string, most int) string {
	runes := []rune(text[:min(len(text), 4*most)])
	if len(text) <= 4*most && len(runes) <= most {
		return text
	}
	return string(runes[:min(len(runes), most)]) + "…"
}

// inLine names a tool's parameters in one line, the required ones marked.
func (s *schema) inLine() string {
	var words []string
	for _, one := range s.parameters[:min(len(s.parameters), maxShownNames)] {
		words = append(words, one.Name+" ("+one.words()+")")
	}
	if more := len(s.parameters) - maxShownNames; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return cut(strings.Join(words, ", "), maxShownText)
}

func (p Parameter) words() string {
	if p.Required {
		return p.Type + ", required"
	}
	return p.Type
}

// description is a tool's schema in words, a line each.
type description struct {
	of    *schema
	lines []string
}

func (d *description) say(depth int, text string) {
	switch {
	case len(d.lines) < maxShownLines:
		d.lines = append(d.lines, strings.Repeat("   ", depth+1)+text)
	case len(d.lines) == maxShownLines:
		d.lines = append(d.lines, "   … and more, which is not shown")
	}
}

func (d *description) members(parameters []Parameter, depth int) {
	for i, one := range parameters {
		if len(d.lines) > maxShownLines {
			return
		}
		if i == maxShownNames {
			d.say(depth, fmt.Sprintf("… and %d more", len(parameters)-i))
			return
		}
		d.member(one, depth)
	}
}

func (d *description) member(parameter Parameter, depth int) {
	object := d.of.resolve(parameter.schema)
	words := append([]string{parameter.words()}, limits(object)...)
	d.say(depth, parameter.Name+": "+strings.Join(words, ", "))
	text, _ := object["description"].(string)
	if text == "" {
		text, _ = object["title"].(string)
	}
	for line := range strings.Lines(Printable(cut(text, maxShownText))) {
		d.say(depth+1, strings.TrimRight(line, "\n"))
	}
	d.inside(object, depth+1)
}

// objectOf is the first member with properties in a union, such as that of an object and null.
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

// inside tells the members of an object, and of the objects in a list.
func (d *description) inside(object map[string]any, depth int) {
	if depth >= maxShownDepth {
		return
	}
	if items := d.of.resolve(object["items"]); items != nil {
		object = items
	}
	if object["properties"] == nil {
		object = d.of.objectOf(object)
	}
	properties, _ := object["properties"].(map[string]any)
	var required []string
	named, _ := object["required"].([]any)
	for _, one := range named {
		if name, is := one.(string); is {
			required = append(required, name)
		}
	}
	d.members(d.of.members(properties, nil, required), depth)
}

// limits says in words how a schema narrows its type.
func limits(object map[string]any) []string {
	var words []string
	for _, one := range []struct{ keyword, words string }{
		{"format", "format"}, {"pattern", "pattern"}, {"minimum", "at least"}, {"exclusiveMinimum", "more than"},
		{"maximum", "at most"}, {"exclusiveMaximum", "less than"}, {"multipleOf", "a multiple of"},
		{"minLength", "characters at least"}, {"maxLength", "characters at most"},
		{"minItems", "items at least"}, {"maxItems", "items at most"}, {"default", "default"},
	} {
		if value, there := object[one.keyword]; there {
			words = append(words, one.words+" "+literal(value))
		}
	}
	return words
}

// describe tells what a tool does and takes.
func describe(tool Tool) string {
	var out strings.Builder
	fmt.Fprintln(&out, tool.Name)
	if tool.Description != "" {
		fmt.Fprintf(&out, "   %s\n", indented(tool.Description))
	}
	if len(tool.schema.parameters) == 0 {
		fmt.Fprintln(&out, "   It names no parameters.")
		return out.String()
	}
	tool.schema.left = maxSchemas
	told := description{of: &tool.schema}
	told.members(tool.schema.parameters, 0)
	fmt.Fprintln(&out, strings.Join(told.lines, "\n"))
	example := "call " + tool.Name
	for _, one := range tool.schema.parameters[:min(len(tool.schema.parameters), maxShownNames)] {
		if one.Required {
			example += " " + one.Name + "=…"
		}
	}
	fmt.Fprintf(&out, "Type: %s\n", example)
	return out.String()
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n   ") }
