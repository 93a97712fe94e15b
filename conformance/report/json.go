package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	strict "github.com/go-json-experiment/json"

	"mcpentra/conformance/check"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the JSON report.
func Schema() []byte { return bytes.Clone(schema) }

// WriteJSON writes a document as JSON.
func WriteJSON(out io.Writer, document *Document) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// MaxJSON bounds a JSON report that ReadJSON reads, in bytes.
const MaxJSON = 32 << 20

// ReadJSON reads a JSON report of this version. It accepts members that it does not know. It
// refuses a report that misses members, has one twice, or contradicts itself.
func ReadJSON(in io.Reader) (*Document, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxJSON {
		return nil, fmt.Errorf("want a JSON report of at most %d bytes, got more", MaxJSON)
	}
	var head struct {
		Version *int `json:"version"`
	}
	if err := strict.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("want a JSON report: %w", err)
	}
	switch {
	case head.Version == nil:
		return nil, fmt.Errorf("want a JSON report with the member \"version\"; --report json=FILE writes one")
	case *head.Version != Version:
		return nil, fmt.Errorf("want a JSON report of version %d, got version %d; use the program that wrote it",
			Version, *head.Version)
	}
	document := &Document{}
	if err := strict.Unmarshal(text, document); err != nil {
		return nil, fmt.Errorf("want a JSON report: %w", err)
	}
	if err := document.validate(); err != nil {
		return nil, fmt.Errorf("want a JSON report: %w", err)
	}
	return document, nil
}

// validate returns an error if a member is missing or has a value that it cannot have.
func (d *Document) validate() error {
	kinds := []string{"server", "issuer", "client"}
	if err := oneOf("kind", d.Kind, kinds...); err != nil {
		return err
	}
	for name, answer := range map[string]Answer{"secure": d.Secure.Answer, "conformant": d.Conformant.Answer} {
		if err := oneOf(name, answer, Yes, No, Unknown); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	counts := Counts{}
	for i := range d.Results {
		result := &d.Results[i]
		if err := result.validate(); err != nil {
			return fmt.Errorf("results[%d]: %w", i, err)
		}
		if names[result.Name] {
			return fmt.Errorf("results[%d]: the name %q is there twice", i, result.Name)
		}
		names[result.Name] = true
		counts.add(result)
	}
	if counts != d.Counts {
		return fmt.Errorf("counts: want the numbers of the results, %+v, got %+v", counts, d.Counts)
	}
	return nil
}

// validate returns an error if a member is missing or has a value that it cannot have.
func (r *Result) validate() error {
	if r.ID == "" || r.Name == "" {
		return fmt.Errorf("want an id and a name, got %q and %q", r.ID, r.Name)
	}
	var verdicts []string
	for verdict := check.Skip; verdict <= check.Error; verdict++ {
		verdicts = append(verdicts, verdict.String())
	}
	if err := oneOf("verdict", r.Verdict, verdicts...); err != nil {
		return err
	}
	if err := oneOf("level", r.Level, check.Must, check.Should, check.Policy); err != nil {
		return err
	}
	severities := []check.Severity{"", check.Low, check.Medium, check.High, check.Critical}
	if err := oneOf("severity", r.Severity, severities...); err != nil {
		return err
	}
	if err := oneOf("risk", r.Risk, severities...); err != nil {
		return err
	}
	for _, mismatch := range r.Mismatches {
		if err := oneOf("level", mismatch.Level, check.Must, check.Should, check.Policy); err != nil {
			return err
		}
		if err := oneOf("severity", mismatch.Severity, severities...); err != nil {
			return err
		}
	}
	if r.Omitted < 0 || r.Recorded < 0 {
		return fmt.Errorf("want numbers from 0, got %d and %d", r.Omitted, r.Recorded)
	}
	return nil
}

// oneOf returns an error if a member has none of the wanted values.
func oneOf[T ~string](name string, got T, wanted ...T) error {
	if slices.Contains(wanted, got) {
		return nil
	}
	return fmt.Errorf("%s: want one of %q, got %.100q", name, wanted, string(got))
}
