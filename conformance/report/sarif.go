package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
)

// The objects of SARIF 2.1.0 that the report needs.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  sarifAutomation   `json:"automationDetails"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		ColumnKind  string            `json:"columnKind"`
		Properties  map[string]any    `json:"properties"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string             `json:"id"`
		Name          string             `json:"name"`
		Short         sarifText          `json:"shortDescription"`
		Full          sarifText          `json:"fullDescription"`
		Help          sarifText          `json:"help"`
		Configuration sarifConfiguration `json:"defaultConfiguration"`
		Properties    sarifRuleFacts     `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifRuleFacts struct {
		Tags      []string `json:"tags"`
		Severity  string   `json:"security-severity,omitempty"`
		Precision string   `json:"precision"`
	}
	sarifInvocation struct {
		Command       string              `json:"commandLine,omitempty"`
		Began         string              `json:"startTimeUtc,omitempty"`
		Ended         string              `json:"endTimeUtc,omitempty"`
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string        `json:"level"`
		Message sarifText     `json:"message"`
		Rule    *sarifRuleRef `json:"associatedRule,omitempty"`
	}
	sarifRuleRef struct {
		ID    string `json:"id"`
		Index int    `json:"index"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Kind         string             `json:"kind"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Baseline     string             `json:"baselineState,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// securitySeverities are the scores from which GitHub makes its severities.
var securitySeverities = map[check.Severity]string{
	check.Critical: "9.5",
	check.High:     "8.0",
	check.Medium:   "5.5",
	check.Low:      "2.5",
}

// sarifLevels are the levels of broken rules.
var sarifLevels = map[string]string{
	check.Fail.String(): "error",
	check.Warn.String(): "warning",
	check.Note.String(): "note",
}

// WriteSARIF writes a document as SARIF 2.1.0, with a result for each broken rule. GitHub makes an
// alert of every result, so rules that are kept or were skipped have none. A check without a
// verdict is a notification.
func WriteSARIF(out io.Writer, document *Document) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "mcp-auth-conformance", Version: document.Program}},
		ColumnKind: "unicodeCodePoints",
		Properties: map[string]any{
			"target":     document.Target,
			"secure":     document.Secure,
			"conformant": document.Conformant,
		},
		Results: []sarifResult{},
	}
	rules, indexes := sarifRules(document.Results)
	run.Tool.Driver.Rules = rules
	location := sarifPath(document.Target)
	// Runs against several targets in one repository are different analyses.
	run.Automation.ID = "mcp-auth-conformance/" + document.Kind + "/" + location + "/"
	invocation := sarifInvocation{
		Command:    document.Command,
		Began:      document.Began,
		Successful: !document.Interrupted,
	}
	if began, err := time.Parse(time.RFC3339, document.Began); err == nil {
		ended := began.Add(time.Duration(document.Duration) * time.Millisecond)
		invocation.Ended = ended.Format("2006-01-02T15:04:05.000Z")
	}
	for i := range document.Results {
		result := &document.Results[i]
		index := indexes[result.ID]
		switch {
		case result.Verdict == check.Error.String():
			invocation.Notifications = append(invocation.Notifications, sarifNotification{
				Level:   "error",
				Message: sarifMessage(result.Name + ": " + result.Reason),
				Rule:    &sarifRuleRef{result.ID, index},
			})
		case result.isBroken():
			converted := document.sarifResult(result, location)
			converted.RuleIndex = index
			run.Results = append(run.Results, converted)
		}
	}
	run.Invocations = []sarifInvocation{invocation}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

// sarifRules returns the rules of results, and the index of each by its ID.
func sarifRules(results []Result) ([]sarifRule, map[string]int) {
	rules := []sarifRule{}
	indexes := map[string]int{}
	risks := map[string]check.Severity{}
	order := []check.Severity{"", check.Low, check.Medium, check.High, check.Critical}
	for _, result := range results {
		if slices.Index(order, result.Risk) > slices.Index(order, risks[result.ID]) {
			risks[result.ID] = result.Risk
		}
	}
	levels := map[check.Level]string{check.Must: "error", check.Should: "warning", check.Policy: "note"}
	for _, result := range results {
		if _, listed := indexes[result.ID]; listed {
			continue
		}
		indexes[result.ID] = len(rules)
		rule := sarifRule{
			ID:            result.ID,
			Name:          sarifName(result.ID),
			Short:         sarifText{result.Sentence},
			Full:          sarifText{fmt.Sprintf("%s (%s): %s", result.Level, result.Reference, result.Sentence)},
			Help:          sarifText{"mcp-auth-conformance explain " + result.ID + " says more."},
			Configuration: sarifConfiguration{levels[result.Level]},
			Properties: sarifRuleFacts{
				Tags:      []string{result.Role, result.Topic, string(result.Level)},
				Precision: "very-high",
			},
		}
		if result.Change != "" {
			rule.Help.Text = result.Change + " " + rule.Help.Text
		}
		// GitHub calls a rule with this score a vulnerability: a bad input had an effect.
		if risk := risks[result.ID]; risk != "" {
			rule.Properties.Tags = append([]string{"security"}, rule.Properties.Tags...)
			rule.Properties.Severity = securitySeverities[risk]
		}
		rules = append(rules, rule)
	}
	return rules, indexes
}

// sarifResult returns the result of a broken rule.
func (d *Document) sarifResult(result *Result, location string) sarifResult {
	fingerprint := sha256.Sum256([]byte(d.Kind + "\n" + d.Target + "\n" + result.Name))
	print := hex.EncodeToString(fingerprint[:])
	converted := sarifResult{
		RuleID:  result.ID,
		Kind:    "fail",
		Level:   sarifLevels[result.Verdict],
		Message: sarifMessage(result.headline() + ".\n\n" + result.details()),
		Locations: []sarifLocation{{
			Physical: sarifPhysical{sarifArtifact{location}, sarifRegion{1}},
			Logical:  []sarifLogical{{d.Target, "resource"}},
		}},
		Fingerprints: map[string]string{"primaryLocationLineHash": print[:16] + ":1", "result/v1": print},
		Properties:   map[string]any{"name": result.Name, "verdict": result.Verdict},
	}
	if result.Revision != "" {
		converted.Properties["revision"] = result.Revision
	}
	if result.Again != "" {
		converted.Properties["again"] = result.Again
	}
	switch {
	case result.Known:
		converted.Baseline = "unchanged"
		converted.Suppressions = []sarifSuppression{{"external", "The baseline lists this failure."}}
	case d.Counts.Known > 0:
		converted.Baseline = "new"
	}
	return converted
}

// sarifMessage returns a message without links. Readers make one of [text](address).
func sarifMessage(text string) sarifText { return sarifText{strings.ReplaceAll(text, "](", "] (")} }

// sarifName returns the ID of a rule in Pascal case, as SARIF wants names.
func sarifName(id string) string {
	var name strings.Builder
	for _, word := range strings.FieldsFunc(id, func(r rune) bool { return r == '/' || r == '-' }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

var notInPath = regexp.MustCompile(`[^A-Za-z0-9._/-]+`)

// sarifPath returns a relative path for a target. GitHub refuses locations that are URLs.
func sarifPath(target string) string {
	address, err := url.Parse(target)
	if err == nil && address.Host != "" {
		target = address.Host + address.Path
	}
	var segments []string
	for segment := range strings.SplitSeq(notInPath.ReplaceAllString(target, "_"), "/") {
		if strings.Trim(segment, ".") != "" {
			segments = append(segments, segment)
		}
	}
	if len(segments) == 0 {
		return "target"
	}
	return strings.Join(segments, "/")
}
