package aadsts_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/aadsts"
)

// A known error is one of testdata/entra/errors.json, which states the facts known about Entra
// ID, with the source.
type known struct {
	Number     int
	Error      string // empty for errors that only pages show
	Status     int    // 0 where no JSON is known
	Where      []string
	Suberror   string
	ErrorURI   *bool `json:"error_uri"`
	Confidence aadsts.Confidence
	Source     string
	Text       string // with {} where an answer names something
}

func readKnown(t *testing.T) []known {
	t.Helper()
	text, err := os.ReadFile("../../testdata/entra/errors.json")
	require.NoError(t, err)
	var file struct {
		Source string
		Errors []known
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&file))
	require.NotEmpty(t, file.Source)
	return file.Errors
}

// Every error that is known of Entra ID is in the catalogue as it is known, and nothing else is.
func TestCatalogueIsWhatIsKnown(t *testing.T) {
	t.Parallel()
	catalogue := map[int]aadsts.Entry{}
	for _, entry := range aadsts.Catalogue() {
		assert.NotContains(t, catalogue, entry.Number)
		catalogue[entry.Number] = entry
	}
	all := readKnown(t)
	assert.Greater(t, len(all), 100)
	for _, want := range all {
		entry, found := catalogue[want.Number]
		if !assert.True(t, found, want.Number) {
			continue
		}
		delete(catalogue, want.Number)
		problem, found := aadsts.Find(want.Number)
		require.True(t, found)
		if want.Error != "" {
			assert.Equal(t, want.Error, problem.Code, want.Number)
		}
		if want.Status != 0 {
			assert.Equal(t, want.Status, problem.Status, want.Number)
		}
		if want.Text != "" {
			assert.Equal(t, want.Text, strings.ReplaceAll(entry.Sentence, "%s", "{}"), want.Number)
		}
		assert.Equal(t, want.Suberror, problem.Suberror, want.Number)
		assert.Equal(
			t,
			want.ErrorURI != nil,
			problem.NoErrorURI,
			"%d: error_uri is left out where that was recorded",
			want.Number,
		)
		assert.Equal(t, want.Confidence, entry.Confidence, want.Number)
		assert.NotEmpty(t, want.Source, want.Number)
		pageOnly := slices.Contains(want.Where, "page") && !slices.Contains(want.Where, "redirect")
		assert.Equal(t, pageOnly, problem.Unredirected, "%d: a page, never a redirect", want.Number)
	}
	assert.Empty(t, catalogue, "each with its source in testdata/entra/errors.json")
}

// The body has its members in the order of the wire, and those that are optional only where they
// apply.
func TestBodyOfAnError(t *testing.T) {
	t.Parallel()
	occurrence := aadsts.Occurrence{
		TraceID:       "t",
		CorrelationID: "c",
		Time:          time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Authority:     "https://login.microsoftonline.com",
	}
	for _, entry := range aadsts.Catalogue() {
		problem, _ := aadsts.Find(entry.Number)
		text := string(problem.JSON(occurrence))
		want := []string{"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"}
		if !problem.NoErrorURI {
			want = append(want, "error_uri")
		}
		if problem.Suberror != "" {
			want = append(want, "suberror")
		}
		assert.Equal(t, want, members(t, text), entry.Number)
		assert.Contains(t, text, `"timestamp":"2026-03-04 05:06:07Z"`)
		assert.Regexp(t, `"error_codes":\[\d+\]`, text)
		assert.Contains(
			t,
			problem.Description(occurrence),
			" Trace ID: t Correlation ID: c Timestamp: 2026-03-04 05:06:07Z",
		)
		assert.NotContains(t, problem.Message, "%!", entry.Number)
		// "invalid_client" is 401, throttling 429, a transient failure 503, and everything else
		// 400.
		status := map[string]int{"invalid_client": 401}[problem.Code]
		if status == 0 {
			status = 400
		}
		if problem.Code == "temporarily_unavailable" {
			status = map[int]int{90055: 429, 90033: 503}[entry.Number]
		}
		assert.Equal(t, status, problem.Status, entry.Number)
	}
	challenged := aadsts.Blocked().Challenged("5a1e0007-0000-4000-8000-000000000001")
	assert.Equal(
		t,
		[]string{
			"error",
			"error_description",
			"error_codes",
			"timestamp",
			"trace_id",
			"correlation_id",
			"error_uri",
			"suberror",
			"claims",
		},
		members(t, string(challenged.JSON(occurrence))),
	)
	assert.Equal(
		t,
		`{"access_token":{"capolids":{"essential":true,"values":["5a1e0007-0000-4000-8000-000000000001"]}}}`,
		challenged.Claims,
	)
	_, found := aadsts.Find(1)
	assert.False(t, found)
}

// members are the names of a JSON object in the order of the wire.
func members(t *testing.T, body string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	_, err := decoder.Token()
	require.NoError(t, err)
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var value json.RawMessage
		require.NoError(t, decoder.Decode(&value))
	}
	return names
}
