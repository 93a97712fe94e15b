package doctor

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of WriteJSON.
func Schema() []byte { return bytes.Clone(schema) }

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
