package directory

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// A reader fills structs from YAML and records the line of each value. It continues after a
// mistake, so that one run reports all of them.
type reader struct {
	lines map[string]int // by path
	wrong []problem
}

// maxDepth bounds the nesting of values without a schema.
const maxDepth = 50

func (r *reader) add(path string, err error) { r.wrong = append(r.wrong, problem{path, err}) }

// line returns the line of a path, or of the nearest value around it.
func (r *reader) line(path string) int {
	for {
		if line, found := r.lines[path]; found {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return r.lines[""]
		}
		path = path[:cut]
	}
}

var (
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[time.Duration]()
)

var errNoAliases = errors.New("anchors and aliases are not supported; write the value out")

// read fills the struct that into points to.
func (r *reader) read(node *yaml.Node, path string, into any) {
	r.value(node, path, reflect.ValueOf(into).Elem())
}

func (r *reader) value(node *yaml.Node, path string, into reflect.Value) {
	r.lines[path] = node.Line
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.add(path, errNoAliases)
		return
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return // like a missing key
	}
	switch kind := into.Kind(); {
	case into.Type() == typeTime:
		r.scalar(node, path, into)
	case kind == reflect.Struct:
		r.mapping(node, path, into)
	case kind == reflect.Slice:
		r.list(node, path, into)
	case kind == reflect.Map:
		r.free(node, path, into)
	default:
		r.scalar(node, path, into)
	}
}

// mapping reads a struct by the names in its yaml tags.
func (r *reader) mapping(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range into.NumField() {
		if name := into.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = i
			names = append(names, name)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		value := node.Content[i+1]
		inner := strings.TrimPrefix(path+"."+key.Value, ".")
		r.lines[inner] = key.Line
		field, known := fields[key.Value]
		switch {
		case !known:
			r.add(inner, fmt.Errorf("unknown key %q; %s", key.Value, suggest(key.Value, names)))
		case seen[key.Value]:
			r.add(inner, fmt.Errorf("the key %q appears twice", key.Value))
		default:
			r.value(value, inner, into.Field(field))
		}
		seen[key.Value] = true
	}
}

func (r *reader) list(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, element := range node.Content {
		r.value(element, fmt.Sprintf("%s[%d]", path, i), into.Index(i))
	}
}

func (r *reader) scalar(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	if !setScalar(node, into) {
		r.add(path, fmt.Errorf("want %s, got %q", kindOf(into), node.Value))
	}
}

// setScalar sets a value from a text. It reports false if the text does not fit.
func setScalar(node *yaml.Node, into reflect.Value) bool {
	text := node.Value
	switch {
	case into.Type() == typeDuration:
		d, err := time.ParseDuration(text)
		into.SetInt(int64(d))
		return err == nil
	case into.Type() == typeTime:
		at, err := time.Parse(time.RFC3339, text)
		into.Set(reflect.ValueOf(at))
		return err == nil
	case into.Kind() == reflect.Bool:
		yes, err := strconv.ParseBool(text)
		into.SetBool(yes)
		return err == nil && node.ShortTag() == "!!bool"
	case into.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		into.SetInt(int64(n))
		return err == nil
	}
	into.SetString(text)
	return true
}

// free reads a mapping with free keys into a map. Its values have the type of the map. If that is
// any, they have the types of JSON.
func (r *reader) free(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	if into.Type().Elem().Kind() != reflect.Interface {
		into.Set(reflect.MakeMap(into.Type()))
		for i := 0; i+1 < len(node.Content); i += 2 {
			value := reflect.New(into.Type().Elem()).Elem()
			r.value(node.Content[i+1], path+"."+node.Content[i].Value, value)
			into.SetMapIndex(reflect.ValueOf(node.Content[i].Value), value)
		}
		return
	}
	if value, ok := r.any(node, path, 0).(map[string]any); ok {
		into.Set(reflect.ValueOf(value))
	}
}

func (r *reader) any(node *yaml.Node, path string, depth int) any {
	switch {
	case depth > maxDepth:
		r.add(path, fmt.Errorf("nested deeper than %d levels", maxDepth))
		return nil
	case node.Kind == yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			object[node.Content[i].Value] = r.any(node.Content[i+1], path, depth+1)
		}
		return object
	case node.Kind == yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, element := range node.Content {
			list[i] = r.any(element, path, depth+1)
		}
		return list
	case node.Kind == yaml.ScalarNode:
		return scalarValue(node)
	}
	r.add(path, errNoAliases)
	return nil
}

// scalarValue returns a scalar with the type of its YAML tag.
func scalarValue(node *yaml.Node) any {
	switch node.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!int":
		if n, err := strconv.ParseInt(node.Value, 0, 64); err == nil {
			return n
		}
	case "!!float":
		if x, err := strconv.ParseFloat(node.Value, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			return x
		}
	}
	return node.Value
}

// kindOf describes the form that a value must have.
func kindOf(value reflect.Value) string {
	switch {
	case value.Type() == typeDuration:
		return "a duration such as 1.5s"
	case value.Type() == typeTime:
		return "a time such as 2026-01-31T09:00:00Z"
	}
	switch value.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "keys with values"
	}
	return "text"
}

// kindOfNode describes the form that a value has.
func kindOfNode(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "keys with values"
	}
	return strconv.Quote(node.Value)
}

// suggest proposes the key that was probably meant, or lists all keys.
func suggest(word string, names []string) string {
	lower := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(word))
	for _, name := range names {
		if isSimilar(lower, strings.ToLower(name)) {
			return fmt.Sprintf("perhaps %q", name)
		}
	}
	slices.Sort(names)
	return "want one of " + strings.Join(names, ", ")
}

// isSimilar reports whether two words are equal, or one begins with the other.
func isSimilar(word, name string) bool {
	if word == name {
		return true
	}
	return len(word) > 2 && (strings.HasPrefix(name, word) || strings.HasPrefix(word, name))
}
