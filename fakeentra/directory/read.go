package directory

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// A reading fills structs from YAML, remembers the line of everything, and goes on after a mistake,
// so that all of them are told at once.
type reading struct {
	lines map[string]int // by path
	wrong []problem
}

// maxDepth bounds what may be nested into free-form values.
const maxDepth = 50

func (r *reading) add(path string, err error) { r.wrong = append(r.wrong, problem{path, err}) }

// line is that of a path, or of the nearest part of the file around it.
func (r *reading) line(path string) int {
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

// read fills what into points at.
func (r *reading) read(node *yaml.Node, path string, into any) {
	r.value(node, path, reflect.ValueOf(into).Elem())
}

func (r *reading) value(node *yaml.Node, path string, into reflect.Value) {
	r.lines[path] = node.Line
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		r.add(path, errors.New("anchors and aliases are not read here: write it out"))
		return
	}
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return // as if it were not there
	}
	switch kind := into.Kind(); {
	case into.Type() == typeTime, into.Type() == typeDuration, kind != reflect.Struct && kind != reflect.Slice &&
		kind != reflect.Map:
		if node.Kind != yaml.ScalarNode {
			r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
			return
		}
		r.scalar(node, path, into)
	case kind == reflect.Struct:
		r.mapping(node, path, into)
	case kind == reflect.Slice:
		r.list(node, path, into)
	default:
		r.free(node, path, into)
	}
}

// mapping reads a struct by the names in its yaml tags.
func (r *reading) mapping(node *yaml.Node, path string, into reflect.Value) {
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
			r.add(inner, fmt.Errorf("no key %q here%s", key.Value, nearest(key.Value, names)))
		case seen[key.Value]:
			r.add(inner, fmt.Errorf("the key %q is here twice", key.Value))
		default:
			r.value(value, inner, into.Field(field))
		}
		seen[key.Value] = true
	}
}

func (r *reading) list(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content)))
	for i, one := range node.Content {
		r.value(one, fmt.Sprintf("%s[%d]", path, i), into.Index(i))
	}
}

func (r *reading) scalar(node *yaml.Node, path string, into reflect.Value) {
	text := node.Value
	var err error
	switch {
	case into.Type() == typeDuration:
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			into.SetInt(int64(d))
		}
	case into.Type() == typeTime:
		var at time.Time
		if at, err = time.Parse(time.RFC3339, text); err == nil {
			into.Set(reflect.ValueOf(at))
		}
	case into.Kind() == reflect.Bool:
		var yes bool
		if yes, err = strconv.ParseBool(text); node.ShortTag() != "!!bool" {
			err = errors.New("not true or false")
		}
		into.SetBool(yes && err == nil)
	case into.Kind() == reflect.Int:
		var n int
		if n, err = strconv.Atoi(text); err == nil {
			into.SetInt(int64(n))
		}
	default:
		into.SetString(text)
	}
	if err != nil {
		r.add(path, fmt.Errorf("want %s, got %q", kindOf(into), text))
	}
}

// free reads what has no schema, as JSON would have it.
func (r *reading) free(node *yaml.Node, path string, into reflect.Value) {
	if node.Kind != yaml.MappingNode {
		r.add(path, fmt.Errorf("want %s, got %s", kindOf(into), kindOfNode(node)))
		return
	}
	if into.Type().Elem().Kind() == reflect.String {
		into.Set(reflect.MakeMap(into.Type()))
		for i := 0; i+1 < len(node.Content); i += 2 {
			text := reflect.New(into.Type().Elem()).Elem()
			r.value(node.Content[i+1], path+"."+node.Content[i].Value, text)
			into.SetMapIndex(reflect.ValueOf(node.Content[i].Value), text)
		}
		return
	}
	if value, ok := r.any(node, path, 0).(map[string]any); ok {
		into.Set(reflect.ValueOf(value))
	}
}

func (r *reading) any(node *yaml.Node, path string, depth int) any {
	switch {
	case depth > maxDepth:
		r.add(path, fmt.Errorf("nested deeper than %d", maxDepth))
	case node.Kind == yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			object[node.Content[i].Value] = r.any(node.Content[i+1], path, depth+1)
		}
		return object
	case node.Kind == yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, one := range node.Content {
			list[i] = r.any(one, path, depth+1)
		}
		return list
	case node.Kind == yaml.ScalarNode:
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
			if x, err := strconv.ParseFloat(node.Value, 64); err == nil && x-x == 0 {
				return x
			}
		}
		return node.Value
	default:
		r.add(path, errors.New("anchors and aliases are not read here: write it out"))
	}
	return nil
}

// kindOf is what a value has to be written as.
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
	return "a text"
}

func kindOfNode(node *yaml.Node) string {
	switch node.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "keys with values"
	}
	return strconv.Quote(node.Value)
}

// nearest suggests a name that was perhaps meant, or lists them.
func nearest(word string, names []string) string {
	lower := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(word))
	for _, name := range names {
		if strings.ToLower(name) == lower ||
			len(lower) > 2 &&
				(strings.HasPrefix(strings.ToLower(name), lower) || strings.HasPrefix(lower, strings.ToLower(name))) {
			return fmt.Sprintf("; perhaps %q", name)
		}
	}
	slices.Sort(names)
	return ", want one of " + strings.Join(names, ", ")
}
