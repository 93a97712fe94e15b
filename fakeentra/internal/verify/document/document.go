package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A Kind is the type of a JSON value.
type Kind string

// The kinds.
const (
	Object  Kind = "object"
	Array   Kind = "array"
	String  Kind = "string"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Null    Kind = "null"
)

// maxDepth bounds the nesting of a document.
const maxDepth = 32

// A Value is a JSON value.
type Value struct {
	Kind    Kind
	Text    string   // of a string, a number or a boolean
	Members []Member // of an object, in the order of the wire
	Items   []*Value // of an array
}

// A Member is a member of an object.
type Member struct {
	Name  string
	Value *Value
}

// Parse reads one JSON value. It refuses text after it and nesting deeper than 32 levels.
func Parse(text []byte) (*Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := read(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("document: want one JSON value, got more text after it")
	}
	return value, nil
}

func read(decoder *json.Decoder, depth int) (*Value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("document: want at most %d levels of nesting", maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	switch token := token.(type) {
	case string:
		return NewString(token), nil
	case json.Number:
		return &Value{Kind: Number, Text: token.String()}, nil
	case bool:
		return &Value{Kind: Boolean, Text: fmt.Sprint(token)}, nil
	case json.Delim:
		if token == '{' {
			return readObject(decoder, depth)
		}
		return readArray(decoder, depth)
	}
	return &Value{Kind: Null}, nil
}

func readObject(decoder *json.Decoder, depth int) (*Value, error) {
	object := &Value{Kind: Object}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		value, err := read(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		object.Members = append(object.Members, Member{name.(string), value})
	}
	return object, end(decoder)
}

func readArray(decoder *json.Decoder, depth int) (*Value, error) {
	array := &Value{Kind: Array}
	for decoder.More() {
		value, err := read(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		array.Items = append(array.Items, value)
	}
	return array, end(decoder)
}

// end reads the bracket at the end of an object or an array.
func end(decoder *json.Decoder) error {
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	return nil
}

// NewString returns a string.
func NewString(text string) *Value { return &Value{Kind: String, Text: text} }

// Member returns a member of an object, or nil. It is safe to call on nil.
func (v *Value) Member(name string) *Value {
	if v == nil {
		return nil
	}
	for _, member := range v.Members {
		if member.Name == name {
			return member.Value
		}
	}
	return nil
}

// Names returns the names of an object's members in the order of the wire.
func (v *Value) Names() []string {
	var names []string
	if v != nil {
		for _, member := range v.Members {
			names = append(names, member.Name)
		}
	}
	return names
}

// MarshalJSON writes the value with its members in the same order.
func (v *Value) MarshalJSON() ([]byte, error) {
	switch v.Kind {
	case String:
		return json.Marshal(v.Text)
	case Number, Boolean:
		return []byte(v.Text), nil
	case Null:
		return []byte("null"), nil
	case Array:
		return json.Marshal(append([]*Value{}, v.Items...))
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for i, member := range v.Members {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(member.Name)
		if err != nil {
			return nil, err
		}
		value, err := member.Value.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON reads the value with its members in the order of the text.
func (v *Value) UnmarshalJSON(text []byte) error {
	parsed, err := Parse(text)
	if err == nil {
		*v = *parsed
	}
	return err
}
