package report_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// readSARIF are the members that GitHub reads.
type readSARIF struct {
	Version string
	Runs    []struct {
		Tool struct {
			Driver struct {
				Name  string
				Rules []struct {
					ID         string
					Short      struct{ Text string } `json:"shortDescription"`
					Help       struct{ Text string }
					Properties struct {
						Tags     []string
						Severity string `json:"security-severity"`
					}
				}
			}
		}
		Automation  struct{ ID string } `json:"automationDetails"`
		Invocations []struct {
			Successful    bool `json:"executionSuccessful"`
			Notifications []struct {
				Message struct{ Text string }
				Rule    struct{ ID string } `json:"associatedRule"`
			} `json:"toolExecutionNotifications"`
		}
		Results []struct {
			RuleID       string
			RuleIndex    int
			Level        string
			Message      struct{ Text string }
			Baseline     string            `json:"baselineState"`
			Fingerprints map[string]string `json:"partialFingerprints"`
			Suppressions []any
			Locations    []struct {
				Physical struct {
					Artifact struct{ URI string } `json:"artifactLocation"`
					Region   struct{ StartLine int }
				} `json:"physicalLocation"`
			}
		}
	}
}

func sarifOf(t *testing.T, document *report.Document) readSARIF {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, report.WriteSARIF(&text, document))
	var read readSARIF
	require.NoError(t, json.Unmarshal(text.Bytes(), &read))
	require.Len(t, read.Runs, 1)
	return read
}

func TestSARIFHasBrokenRules(t *testing.T) {
	t.Parallel()
	run := sarifOf(t, everyVerdict()).Runs[0]
	assert.Equal(t, "mcp-auth-conformance/server/localhost_8000/mcp/", run.Automation.ID)
	require.Len(t, run.Tool.Driver.Rules, 7)
	expired := run.Tool.Driver.Rules[1]
	assert.Equal(t, "9.5", expired.Properties.Severity)
	assert.Contains(t, expired.Properties.Tags, "security")
	assert.Contains(t, expired.Help.Text, "Read exp, and refuse")
	status := run.Tool.Driver.Rules[2]
	assert.Empty(t, status.Properties.Severity, "no bad input had an effect")
	require.Len(t, run.Results, 4)
	var levels []string
	prints := map[string]bool{}
	for _, result := range run.Results {
		levels = append(levels, result.Level)
		assert.Equal(t, result.RuleID, run.Tool.Driver.Rules[result.RuleIndex].ID)
		require.Len(t, result.Locations, 1)
		location := result.Locations[0].Physical
		assert.Equal(t, "localhost_8000/mcp", location.Artifact.URI)
		assert.Equal(t, 1, location.Region.StartLine)
		assert.NotContains(t, result.Message.Text, "](", "the text of a server makes no links")
		prints[result.Fingerprints["primaryLocationLineHash"]] = true
	}
	assert.Equal(t, []string{"error", "error", "warning", "note"}, levels)
	assert.Len(t, prints, 4, "each result has its own fingerprint")
	assert.Equal(t, "new", run.Results[0].Baseline)
	assert.Equal(t, "unchanged", run.Results[1].Baseline)
	assert.Len(t, run.Results[1].Suppressions, 1)
	require.Len(t, run.Invocations[0].Notifications, 1)
	assert.Equal(t, "server/token/huge", run.Invocations[0].Notifications[0].Rule.ID)
	assert.True(t, run.Invocations[0].Successful)
}

// TestSARIFLocationsAreRelativePaths has targets of all kinds. GitHub refuses URLs.
func TestSARIFLocationsAreRelativePaths(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"https://mcp.example.com/mcp?x=1": "mcp.example.com/mcp",
		"http://[::1]:8000/a%20b/../c":    "_1_8000/a_b/c",
		"../../etc/passwd":                "etc/passwd",
		"node my client.js":               "node_my_client.js",
		"":                                "target",
		"\xff\x00":                        "_",
	} {
		broken := attack("server/token/expired", check.Fail, true)
		document := report.New(report.Run{Kind: "server", Target: target}, []check.Result{broken})
		got := sarifOf(t, document).Runs[0].Results[0].Locations[0].Physical.Artifact.URI
		assert.Equal(t, want, got)
		address, err := url.Parse(got)
		require.NoError(t, err)
		assert.False(t, address.IsAbs())
	}
}

// TestSARIFFingerprintsAreStable has one failure in two runs, and beside another one.
func TestSARIFFingerprintsAreStable(t *testing.T) {
	t.Parallel()
	broken := attack("server/token/expired", check.Fail, true)
	run := report.Run{Kind: "server", Target: "http://localhost/mcp"}
	first := sarifOf(t, report.New(run, []check.Result{broken})).Runs[0].Results[0]
	other := attack("server/token/another", check.Fail, true)
	broken.Err = &check.Mismatch{Want: "status 401", Got: "something else"}
	second := sarifOf(t, report.New(run, []check.Result{other, broken})).Runs[0].Results[1]
	assert.Equal(t, first.Fingerprints, second.Fingerprints)
}

func TestSARIFOfAnInterruptedRun(t *testing.T) {
	t.Parallel()
	run := sarifOf(t, report.New(report.Run{Kind: "client", Interrupted: true}, nil)).Runs[0]
	assert.False(t, run.Invocations[0].Successful)
	assert.NotNil(t, run.Results)
}
