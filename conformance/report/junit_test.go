package report_test

import (
	"bytes"
	"encoding/xml"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/report"
)

// readSuites reads JUnit XML as GitLab does: the problem of a test is the text of its element.
type readSuites struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Suites   []struct {
		Name    string `xml:"name,attr"`
		Skipped int    `xml:"skipped,attr"`
		Time    string `xml:"time,attr"`
		Cases   []struct {
			Name    string `xml:"name,attr"`
			Class   string `xml:"classname,attr"`
			Skipped *string
			Inner   string `xml:",innerxml"`
			Failure *struct {
				Type    string `xml:"type,attr"`
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
			Error *struct {
				Text string `xml:",chardata"`
			} `xml:"error"`
			Output string `xml:"system-out"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestJUnitHasEachVerdict(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	require.NoError(t, report.WriteJUnit(&text, everyVerdict()))
	var read readSuites
	require.NoError(t, xml.Unmarshal(text.Bytes(), &read), "hostile text does not break the XML")
	assert.Equal(t, []int{7, 1, 1}, []int{read.Tests, read.Failures, read.Errors})
	require.Len(t, read.Suites, 4, "a suite for each topic")
	assert.Equal(t, "server/token", read.Suites[0].Name)
	assert.Equal(t, "2.500", read.Suites[0].Time)
	token := read.Suites[0].Cases
	require.Len(t, token, 4)
	assert.Empty(t, token[0].Inner, "a pass has no details")
	failure := token[1].Failure
	require.NotNil(t, failure)
	assert.Equal(t, "server/token/expired@2025-11-25", token[1].Name)
	assert.Equal(t, "server.token", token[1].Class)
	assert.Equal(t, "insecure, critical", failure.Type)
	assert.Contains(t, failure.Message, "want status 401, got status 200")
	for _, want := range []string{
		"]]></failure><script>alert(1)</script>",
		"\nfrom   RFC 7519",
		"\nchange Read exp",
		"\nagain  mcp-",
		"POST http",
	} {
		assert.Contains(t, failure.Text, want)
	}
	assert.NotContains(t, text.String(), "\x00")
	assert.NotContains(t, text.String(), "\x1b")
	assert.Contains(t, token[2].Inner, "known from the baseline: fail", "the baseline lists it, so it is skipped")
	assert.NotNil(t, token[3].Error)
	assert.Equal(t, 1, read.Suites[0].Skipped)
	assert.Nil(t, read.Suites[1].Cases[0].Failure, "a broken SHOULD does not fail")
	assert.Contains(t, read.Suites[1].Cases[0].Output, "warn: want a header")
	assert.Contains(t, read.Suites[3].Cases[0].Inner, "needs")
}
