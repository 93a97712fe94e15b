package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// describe returns a tool's description and parameters.
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
	d := description{schema: &tool.schema}
	d.members(tool.schema.parameters, 0)
	fmt.Fprintln(&out, strings.Join(d.lines, "\n"))
	example := "call " + tool.Name
	for _, parameter := range tool.schema.parameters[:min(len(tool.schema.parameters), maxShownNames)] {
		if parameter.Required {
			example += " " + parameter.Name + "=…"
		}
	}
	fmt.Fprintf(&out, "Type: %s\n", example)
	return out.String()
}

func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n   ") }

// description collects the lines about a tool's schema.
type description struct {
	schema *schema
	lines  []string
}

func (d *description) add(depth int, text string) {
	switch {
	case len(d.lines) < maxShownLines:
		d.lines = append(d.lines, strings.Repeat("   ", depth+1)+text)
	case len(d.lines) == maxShownLines:
		d.lines = append(d.lines, "   … and more lines")
	}
}

func (d *description) members(parameters []Parameter, depth int) {
	for i, parameter := range parameters {
		if len(d.lines) > maxShownLines {
			return
		}
		if i == maxShownNames {
			d.add(depth, fmt.Sprintf("… and %d more", len(parameters)-i))
			return
		}
		d.member(parameter, depth)
	}
}

func (d *description) member(parameter Parameter, depth int) {
	object := d.schema.resolve(parameter.schema)
	words := append([]string{parameter.typeText()}, limits(object)...)
	d.add(depth, parameter.Name+": "+strings.Join(words, ", "))
	text, _ := object["description"].(string)
	if text == "" {
		text, _ = object["title"].(string)
	}
	for line := range strings.Lines(Printable(cut(text, maxShownText))) {
		d.add(depth+1, strings.TrimRight(line, "\n"))
	}
	d.nested(object, depth+1)
}

// nested describes the members of an object, or of the objects in a list.
func (d *description) nested(object map[string]any, depth int) {
	if depth >= maxShownDepth {
		return
	}
	if items := d.schema.resolve(object["items"]); items != nil {
		object = items
	}
	if object["properties"] == nil {
		object = d.schema.objectOf(object)
	}
	properties, _ := object["properties"].(map[string]any)
	var required []string
	names, _ := object["required"].([]any)
	for _, value := range names {
		if name, ok := value.(string); ok {
			required = append(required, name)
		}
	}
	d.members(d.schema.members(properties, nil, required), depth)
}

// limitWords describe the keywords that narrow a type.
var limitWords = []struct{ keyword, words string }{
	{"format", "format"},
	{"pattern", "pattern"},
	{"minimum", "at least"},
	{"exclusiveMinimum", "more than"},
	{"maximum", "at most"},
	{"exclusiveMaximum", "less than"},
	{"multipleOf", "a multiple of"},
	{"minLength", "characters at least"},
	{"maxLength", "characters at most"},
	{"minItems", "items at least"},
	{"maxItems", "items at most"},
	{"default", "default"},
}

// limits describes how a schema narrows its type.
func limits(object map[string]any) []string {
	var words []string
	for _, limit := range limitWords {
		if value, found := object[limit.keyword]; found {
			words = append(words, limit.words+" "+literal(value))
		}
	}
	return words
}

// typeOf describes the values that a schema accepts.
func (s *schema) typeOf(definition any, depth int) string {
	object := s.resolve(definition)
	s.left--
	if object == nil || depth > maxShownDepth || s.left < 0 {
		return "anything"
	}
	if value, isConst := object["const"]; isConst {
		return "always " + literal(value)
	}
	if values, ok := object["enum"].([]any); ok && len(values) > 0 {
		return "one of " + join(values, ", ", literal)
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if members, ok := object[keyword].([]any); ok && len(members) > 0 {
			return join(members, " or ", func(member any) string { return s.typeOf(member, depth+1) })
		}
	}
	var names []any
	for _, name := range typeNames(object) {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "anything"
	}
	return join(names, " or ", func(name any) string {
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

// join joins the words of the first values, and counts the others.
func join(values []any, between string, word func(any) string) string {
	var words []string
	for _, value := range values[:min(len(values), maxShownValues)] {
		if text := word(value); !slices.Contains(words, text) {
			words = append(words, text)
		}
	}
	text := strings.Join(words, between)
	if more := len(values) - maxShownValues; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return cut(text, maxShownText)
}

// literal returns a value as JSON.
func literal(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return "?"
	}
	return short(strings.TrimSpace(text.String()))
}

// short makes a server's word harmless for one line of a terminal.
func short(word string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(Printable(cut(word, maxShownWord)))
}

// cut bounds a text to a number of characters.
func cut(text string, most int) string {
	runes := []rune(text[:min(len(text), 4*most)])
	if len(text) <= 4*most && len(runes) <= most {
		return text
	}
	return string(runes[:min(len(runes), most)]) + "…"
}

// summary names a tool's parameters in one line.
func (s *schema) summary() string {
	var words []string
	for _, parameter := range s.parameters[:min(len(s.parameters), maxShownNames)] {
		words = append(words, parameter.Name+" ("+parameter.typeText()+")")
	}
	if more := len(s.parameters) - maxShownNames; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return cut(strings.Join(words, ", "), maxShownText)
}

// typeText describes the type, and marks a required parameter.
func (p Parameter) typeText() string {
	if p.Required {
		return p.Type + ", required"
	}
	return p.Type
}
