package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"mcpentra/conformance/check"
)

// The elements of JUnit's XML, as Jenkins and GitLab read them.
type (
	junitSuites struct {
		XMLName  xml.Name      `xml:"testsuites"`
		Name     string        `xml:"name,attr"`
		Tests    int           `xml:"tests,attr"`
		Failures int           `xml:"failures,attr"`
		Errors   int           `xml:"errors,attr"`
		Time     string        `xml:"time,attr"`
		Suites   []*junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`

		duration int64 // in milliseconds
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *string       `xml:"skipped"`
		Error   *junitProblem `xml:"error"`
		Failure *junitProblem `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes a document as JUnit XML, with a suite for each topic. A broken MUST is a
// failure, and a check without a verdict is an error. A broken SHOULD or policy is a test that
// passes, with the details in its output. A failure or an error that the baseline lists is a
// skipped test, with the details as its reason.
func WriteJUnit(out io.Writer, document *Document) error {
	suites := junitSuites{
		Name: "mcp-auth-conformance " + document.Target,
		Time: seconds(document.Duration),
	}
	byName := map[string]*junitSuite{}
	for i := range document.Results {
		result := &document.Results[i]
		name := result.Role + "/" + result.Topic
		suite := byName[name]
		if suite == nil {
			suite = document.junitSuite(name)
			byName[name] = suite
			suites.Suites = append(suites.Suites, suite)
		}
		suite.add(result)
	}
	for _, suite := range suites.Suites {
		suites.Tests += suite.Tests
		suites.Failures += suite.Failures
		suites.Errors += suite.Errors
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

// junitSuite returns a suite without tests.
func (d *Document) junitSuite(name string) *junitSuite {
	suite := &junitSuite{
		Name: name,
		Properties: []junitProperty{
			{"target", d.Target},
			{"program", d.Program},
			{"secure", string(d.Secure.Answer)},
			{"conformant", string(d.Conformant.Answer)},
			{"interrupted", fmt.Sprint(d.Interrupted)},
		},
	}
	// The schemas want a time without a zone. Readers take it for UTC.
	if began, err := time.Parse(time.RFC3339, d.Began); err == nil {
		suite.Timestamp = began.UTC().Format("2006-01-02T15:04:05")
	}
	return suite
}

// add adds the test of a result.
func (s *junitSuite) add(result *Result) {
	test := junitCase{
		Name:  result.Name,
		Class: strings.ReplaceAll(s.Name, "/", "."),
		Time:  seconds(result.Duration),
	}
	problem := &junitProblem{Type: string(result.Level), Message: result.headline(), Text: result.details()}
	if result.Risk != "" {
		problem.Type = "insecure, " + string(result.Risk)
	}
	switch {
	case result.Verdict == check.Skip.String():
		test.Skipped = &result.Reason
		s.Skipped++
	case result.Known:
		reason := "known from the baseline: " + result.Verdict + "\n" + result.details()
		test.Skipped = &reason
		s.Skipped++
	case result.Verdict == check.Error.String():
		problem.Type = "error"
		test.Error = problem
		s.Errors++
	case result.Verdict == check.Fail.String():
		test.Failure = problem
		s.Failures++
	case result.isBroken():
		test.Output = result.Verdict + ": " + result.headline() + "\n" + result.details()
	}
	s.Cases = append(s.Cases, test)
	s.Tests++
	s.duration += result.Duration
	s.Time = seconds(s.duration)
}

// seconds returns milliseconds as seconds.
func seconds(milliseconds int64) string { return fmt.Sprintf("%.3f", float64(milliseconds)/1000) }
