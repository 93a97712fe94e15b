package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mcpentra/client/signin"
)

// SplitArguments splits the text after a tool's name into words. A JSON object is one word. Other
// text is split as a shell does. A JSON object or list after name= needs no quotes.
func SplitArguments(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return []string{text}, nil
	}
	var words []string
	for text != "" {
		if length := jsonWord(text); length > 0 {
			words = append(words, text[:length])
			text = strings.TrimSpace(text[length:])
			continue
		}
		length := firstWord(text)
		split, err := signin.SplitWords(text[:length])
		if err != nil {
			return nil, err
		}
		words = append(words, split...)
		text = strings.TrimSpace(text[length:])
	}
	return words, nil
}

// jsonWord returns the length of a first word like name={…} or name=[…]. It returns 0 for other
// words.
func jsonWord(text string) int {
	nameEnd := strings.IndexAny(text, "= \t'\"\\")
	if nameEnd < 1 || text[nameEnd] != '=' {
		return 0
	}
	value := text[nameEnd+1:]
	if !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") {
		return 0
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	var raw json.RawMessage
	if decoder.Decode(&raw) != nil {
		return 0
	}
	length := nameEnd + 1 + int(decoder.InputOffset())
	if length < len(text) && text[length] != ' ' && text[length] != '\t' {
		return 0
	}
	return length
}

// firstWord returns the length of a text up to the first blank outside quotes.
func firstWord(text string) int {
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ' ' || c == '\t':
			return i
		}
	}
	return len(text)
}

// CheckArguments checks that words can be the arguments of a tool: name=value words, one JSON
// object, or nothing. The error is an *ArgumentsError.
func CheckArguments(words []string) error {
	if isObject(words) {
		_, err := ReadArguments(strings.Join(words, " "))
		return err
	}
	for _, word := range words {
		if strings.Index(word, "=") < 1 {
			return &ArgumentsError{word}
		}
	}
	return nil
}

// isObject reports whether words begin like a JSON object.
func isObject(words []string) bool {
	return len(words) > 0 && strings.HasPrefix(strings.TrimSpace(words[0]), "{")
}

// ReadArguments reads a JSON object of arguments. An empty text means none. The error is an
// *ArgumentsError.
func ReadArguments(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	value, err := readJSON(text)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, &ArgumentsError{text}
	}
	return object, nil
}

// readJSON reads one JSON value. Numbers keep their digits.
func readJSON(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

// An ArgumentsError reports arguments that are neither a JSON object nor name=value words.
type ArgumentsError struct{ Text string }

func (e *ArgumentsError) Error() string {
	return fmt.Sprintf(`want name=value words, or a JSON object such as {"name": "value"}; got %s`,
		Printable(cut(e.Text, maxShownText)))
}

// arguments makes an object of words. The tool's schema decides the types. An object that was typed
// as JSON is sent unchecked.
func (t *Tool) arguments(words []string) (map[string]any, error) {
	if err := CheckArguments(words); err != nil {
		return nil, err
	}
	if isObject(words) {
		return ReadArguments(strings.Join(words, " "))
	}
	object := map[string]any{}
	for _, word := range words {
		name, text, _ := strings.Cut(word, "=")
		parameter, err := t.parameter(name)
		if err != nil {
			return nil, err
		}
		if err := t.schema.put(object, parameter, text); err != nil {
			return nil, err
		}
	}
	for _, parameter := range t.schema.parameters {
		if _, given := object[parameter.sent]; parameter.Required && !given {
			return nil, fmt.Errorf("%s needs %s (%s): type call %s %s=…; describe %s says more",
				t.Name, parameter.Name, parameter.Type, t.Name, parameter.Name, t.Name)
		}
	}
	if len(words) == 0 {
		return nil, nil
	}
	return object, nil
}

// parameter returns the parameter with a name.
func (t *Tool) parameter(name string) (Parameter, error) {
	var names []string
	for _, parameter := range t.schema.parameters {
		if parameter.sent == name {
			return parameter, nil
		}
		names = append(names, parameter.Name)
	}
	near := Nearest(name, names[:min(len(names), maxNamesTried)])
	switch {
	case near != "":
		return Parameter{}, fmt.Errorf("%s takes no parameter %q; did you mean %s?", t.Name, name, near)
	case t.schema.open:
		return Parameter{Name: short(name), sent: name}, nil
	case len(names) == 0:
		return Parameter{}, fmt.Errorf("%s takes no parameters, got %q", t.Name, name)
	}
	return Parameter{}, fmt.Errorf("%s takes no parameter %q; it takes %s", t.Name, name, t.schema.summary())
}

// put adds a value to an object, with the parameter's type. A list takes one item from each word,
// or all items as JSON.
func (s *schema) put(object map[string]any, parameter Parameter, text string) error {
	earlier, repeated := object[parameter.sent]
	value, err := s.value(parameter.schema, text)
	if err == nil && !repeated {
		object[parameter.sent] = value
		return nil
	}
	resolved := s.resolve(parameter.schema)
	list, isList := earlier.([]any)
	if !slices.Contains(s.types(resolved, 0), "array") || repeated && !isList {
		if repeated {
			return fmt.Errorf("%s is given twice", parameter.Name)
		}
		return fmt.Errorf("%s: want %s, got %q", parameter.Name, parameter.Type, cut(text, maxShownWord))
	}
	item, err := s.value(resolved["items"], text)
	if err != nil {
		return fmt.Errorf("%s: want %s, got the item %q", parameter.Name, parameter.Type, cut(text, maxShownWord))
	}
	object[parameter.sent] = append(list, item)
	return nil
}

// types returns the types that a schema accepts, including those in a union.
func (s *schema) types(object map[string]any, depth int) []string {
	all := typeNames(object)
	if depth >= maxShownDepth {
		return all
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		members, _ := object[keyword].([]any)
		for _, member := range members[:min(len(members), maxUnionMembers)] {
			all = append(all, s.types(s.resolve(member), depth+1)...)
		}
	}
	return all
}

var errType = errors.New("a value of another type")

// value converts a text to the type that a schema names. If it names several, string is tried last.
// Without a type, valid JSON is converted, and other text stays a string.
func (s *schema) value(definition any, text string) (any, error) {
	object := s.resolve(definition)
	if isListed(object, text) {
		return text, nil
	}
	types := s.types(object, 0)
	if len(types) == 1 && types[0] == "string" {
		return text, nil
	}
	value, err := readJSON(text)
	fits := func(name string) bool { return hasType(value, name) }
	if _, quoted := value.(string); err == nil && !quoted {
		if len(types) == 0 || slices.ContainsFunc(types, fits) {
			return value, nil
		}
	}
	if len(types) == 0 || slices.Contains(types, "string") {
		return text, nil
	}
	return nil, errType
}

// isListed reports whether a schema lists a text among its values.
func isListed(object map[string]any, text string) bool {
	values, _ := object["enum"].([]any)
	isText := func(value any) bool { return value == any(text) }
	return isText(object["const"]) || slices.ContainsFunc(values, isText)
}

// hasType reports whether a value has a type of JSON Schema.
func hasType(value any, name string) bool {
	switch value := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case json.Number:
		return name == "number" || name == "integer" && !strings.ContainsAny(string(value), ".eE")
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}
