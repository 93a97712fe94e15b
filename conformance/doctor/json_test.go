package doctor_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

// fullReport has each member.
func fullReport() *doctor.Report {
	report := doctor.NewReport("https://mcp.example.com/mcp")
	report.Steps = []doctor.Step{{
		Name:  "reach",
		Title: "Reach the address",
		Did:   []string{"TCP connects"},
		Findings: []doctor.Finding{{
			Code:    "connection-refused",
			Kind:    doctor.Fault,
			Seen:    "the port refuses the connection",
			Why:     "nothing listens",
			Effects: []doctor.Effect{{Client: "all clients", How: "they report an error"}},
			Fixes:   []doctor.Fix{{Place: doctor.ProxyLine, Where: "nginx", Text: "listen 443;"}},
		}},
	}}
	report.Settings = []doctor.Settings{{Client: "VS Code", File: ".vscode/mcp.json", Text: "{}", Note: "start it"}}
	report.Notes = []string{"a note"}
	return report
}

// schemaOf compiles the schema after a change to each of its objects.
func schemaOf(t *testing.T, change func(object map[string]any)) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(doctor.Schema()))
	require.NoError(t, err)
	root := document.(map[string]any)
	change(root)
	for _, definition := range root["$defs"].(map[string]any) {
		change(definition.(map[string]any))
	}
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", root))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return schema
}

func jsonOf(t *testing.T, report *doctor.Report) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteJSON(&text))
	return text.String()
}

// TestJSONMatchesSchema also wants each member in the schema.
func TestJSONMatchesSchema(t *testing.T) {
	t.Parallel()
	strict := schemaOf(t, func(object map[string]any) {
		if object["type"] == "object" {
			object["additionalProperties"] = false
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	for name, report := range map[string]*doctor.Report{
		"every member": fullReport(),
		"no address":   walk(t, doctor.Config{URL: "mcp"}),
		"closed port":  walk(t, doctor.Config{URL: "http://" + closedPort(t) + "/mcp"}),
		"bare 401":     walk(t, doctor.Config{URL: server.URL + "/mcp"}),
	} {
		read, err := jsonschema.UnmarshalJSON(strings.NewReader(jsonOf(t, report)))
		require.NoError(t, err)
		assert.NoError(t, strict.Validate(read), name)
	}
}

// TestSchemaRefuses shows that the schema can refuse.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t, func(map[string]any) {})
	for old, changed := range map[string]string{
		`"version": 1`:          `"version": 2`,
		`"answers": true`:       `"answers": "yes"`,
		`"steps": [`:            `"stages": [`,
		`"name": "reach"`:       `"name": "Reach it"`,
		`"kind": "fault"`:       `"kind": "error"`,
		`"seen"`:                `"saw"`,
		`"client": "all`:        `"clients": "all`,
		`"place": "proxy line"`: `"place": "proxy"`,
		`"file"`:                `"path"`,
		`"notes": [`:            `"notes": [1, `,
	} {
		text := strings.Replace(jsonOf(t, fullReport()), old, changed, 1)
		require.Contains(t, text, changed)
		read, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		assert.Error(t, schema.Validate(read), changed)
	}
}
