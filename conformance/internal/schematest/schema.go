package schematest

import (
	"bytes"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Schema is a compiled JSON Schema.
type Schema struct{ compiled *jsonschema.Schema }

// Open compiles a schema as readers use it: they ignore members that they do not know.
func Open(text []byte) (*Schema, error) { return compile(text, func(map[string]any) {}) }

// Closed compiles a schema that also refuses members that it does not describe.
func Closed(text []byte) (*Schema, error) {
	return compile(text, func(object map[string]any) {
		if object["type"] == "object" {
			object["additionalProperties"] = false
		}
	})
}

// compile compiles a schema after a change to its root and to each of its definitions.
func compile(text []byte, change func(object map[string]any)) (*Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	root, _ := document.(map[string]any)
	change(root)
	definitions, _ := root["$defs"].(map[string]any)
	for _, definition := range definitions {
		object, _ := definition.(map[string]any)
		change(object)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema.json", document); err != nil {
		return nil, err
	}
	compiled, err := compiler.Compile("schema.json")
	return &Schema{compiled}, err
}

// Validate returns an error if a JSON text does not match the schema.
func (s *Schema) Validate(text string) error {
	read, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.compiled.Validate(read)
}
