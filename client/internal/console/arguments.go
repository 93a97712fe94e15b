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

// SplitArguments splits what was typed behind the name of a tool: a JSON object is one word, and
// anything else is split as a shell would split it. A JSON object or list behind name= needs no
// quotes.
func SplitArguments(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return []string{text}, nil
	}
	var words []string
	for text != "" {
		if length := rawValue(text); length > 0 {
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

// rawValue is the length of a word that is a name and a JSON object or list, or 0.
func rawValue(text string) int {
	at := strings.IndexAny(text, "= \t'\"\\")
	if at < 1 || text[at] != '=' || !strings.HasPrefix(text[at+1:], "{") && !strings.HasPrefix(text[at+1:], "[") {
		return 0
	}
	decoder := json.NewDecoder(strings.NewReader(text[at+1:]))
	var value json.RawMessage
	if decoder.Decode(&value) != nil {
		return 0
	}
	length := at + 1 + int(decoder.InputOffset())
	if length < len(text) && text[length] != ' ' && text[length] != '\t' {
		return 0
	}
	return length
}

// firstWord is the length of a text up to the first blank outside quotes.
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

// CheckArguments says whether words can be the arguments of a tool: name=value each, or one JSON
// object, or none. Its errors are *ArgumentsError.
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

func isObject(words []string) bool {
	return len(words) > 0 && strings.HasPrefix(strings.TrimSpace(words[0]), "{")
}

// ReadArguments reads the arguments of a tool as a person typed them: a JSON object, or nothing.
// Its errors are *ArgumentsError.
func ReadArguments(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	value, err := readJSON(text)
	object, is := value.(map[string]any)
	if err != nil || !is {
		return nil, &ArgumentsError{text}
	}
	return object, nil
}

// readJSON reads one JSON value. A number goes out as it was typed, however long.
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

// An ArgumentsError says that a tool's arguments are neither a JSON object nor name=value words.
type ArgumentsError struct{ Text string }

func (e *ArgumentsError) Error() string {
	return fmt.Sprintf(`the arguments have to be name=value words, or a JSON object such as {"name": "value"}; got %s`,
		Printable(cut(e.Text, maxShownText)))
}

// arguments makes an object of words, with the types that the tool's schema names. The server
// judges an object that was typed as JSON.
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
	for _, one := range t.schema.parameters {
		if _, given := object[one.sent]; one.Required && !given {
			return nil, fmt.Errorf("%s needs %s (%s): type call %s %s=…; describe %s says more",
				t.Name, one.Name, one.Type, t.Name, one.Name, t.Name)
		}
	}
	if len(words) == 0 {
		return nil, nil
	}
	return object, nil
}

func (t *Tool) parameter(name string) (Parameter, error) {
	var names []string
	for _, one := range t.schema.parameters {
		if one.sent == name {
			return one, nil
		}
		names = append(names, one.Name)
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
	return Parameter{}, fmt.Errorf("%s takes no parameter %q; it takes %s", t.Name, name, t.schema.inLine())
}

// put adds a typed value to an object. A list takes one item from each word, or all of them as
// JSON.
func (s *schema) put(object map[string]any, parameter Parameter, text string) error {
	before, again := object[parameter.sent]
	value, err := s.value(parameter.schema, text)
	if err == nil && !again {
		object[parameter.sent] = value
		return nil
	}
	resolved := s.resolve(parameter.schema)
	list, isList := before.([]any)
	if !slices.Contains(s.types(resolved, 0), "array") || again && !isList {
		if again {
			return fmt.Errorf("%s is there twice", parameter.Name)
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

// types are the types that a schema takes, by itself or in a union.
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

// value makes a value of a text: of the type that the schema names, and of a string last if it
// names several. Without a type the text is JSON if it can be, and a string otherwise.
func (s *schema) value(of any, text string) (any, error) {
	object := s.resolve(of)
	if listed(object, text) {
		return text, nil
	}
	types := s.types(object, 0)
	if len(types) == 1 && types[0] == "string" {
		return text, nil
	}
	value, err := readJSON(text)
	if _, quoted := value.(string); err == nil && !quoted {
		if len(types) == 0 || slices.ContainsFunc(types, func(name string) bool { return isOf(value, name) }) {
			return value, nil
		}
	}
	if len(types) == 0 || slices.Contains(types, "string") {
		return text, nil
	}
	return nil, errType
}

// listed reports whether a text is one of the values that a schema lists.
func listed(object map[string]any, text string) bool {
	values, _ := object["enum"].([]any)
	is := func(value any) bool { return value == any(text) }
	return is(object["const"]) || slices.ContainsFunc(values, is)
}

// isOf reports whether a value is of a type of JSON Schema.
func isOf(value any, name string) bool {
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
