package doctor_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/internal/schematest"
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

func jsonOf(t *testing.T, report *doctor.Report) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteJSON(&text))
	return text.String()
}

// TestJSONMatchesSchema also wants each member in the schema.
func TestJSONMatchesSchema(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	wantSchema(t, fullReport())
	wantSchema(t, walk(t, doctor.Config{URL: "mcp"}))
	wantSchema(t, walk(t, doctor.Config{URL: "http://" + closedPort(t) + "/mcp"}))
	wantSchema(t, walk(t, doctor.Config{URL: server.URL + "/mcp"}))
}

// wantSchema wants a report to match the schema, and to have no other members.
func wantSchema(t *testing.T, report *doctor.Report) {
	t.Helper()
	schema, err := schematest.Closed(doctor.Schema())
	require.NoError(t, err)
	require.NoError(t, schema.Validate(jsonOf(t, report)), report.Subject)
}

// TestSchemaRefuses shows that the schema can refuse.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema, err := schematest.Open(doctor.Schema())
	require.NoError(t, err)
	require.NoError(t, schema.Validate(jsonOf(t, fullReport())))
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
		assert.Error(t, schema.Validate(text), changed)
	}
}
