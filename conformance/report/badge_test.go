package report_test

import (
	"bytes"
	"encoding/xml"
	"math"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// luminance returns the relative luminance of a colour like 1a7f37 (WCAG 2.2).
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		part, err := strconv.ParseUint(colour[2*i:2*i+2], 16, 8)
		require.NoError(t, err)
		value := float64(part) / 255
		if value <= 0.04045 {
			value /= 12.92
		} else {
			value = math.Pow((value+0.055)/1.055, 2.4)
		}
		sum += weight * value
	}
	return sum
}

func TestBadgeSaysBothAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		results []check.Result
		want    []string
	}{
		{"all kept", []check.Result{attack("server/a/b", check.Pass, false)}, []string{"yes", "yes"}},
		{"secure only", []check.Result{attack("server/a/b", check.Fail, false)}, []string{"yes", "no"}},
		{"neither", []check.Result{attack("server/a/b", check.Fail, true)}, []string{"no", "no"}},
		{"no results", nil, []string{"unknown", "unknown"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var text bytes.Buffer
			document := report.New(report.Run{Target: "http://localhost/" + hostile}, test.results)
			require.NoError(t, report.WriteBadge(&text, document))
			var read struct {
				Role  string   `xml:"role,attr"`
				Title string   `xml:"title"`
				Texts []string `xml:"text"`
			}
			require.NoError(t, xml.Unmarshal(text.Bytes(), &read))
			assert.Equal(t, "img", read.Role)
			secure := "secure: " + test.want[0]
			conformant := "conformant: " + test.want[1]
			assert.Equal(t, []string{"MCP authorization", secure, conformant}, read.Texts)
			assert.Contains(t, read.Title, secure+", "+conformant)
			assert.NotContains(t, text.String(), "<script")
			assert.NotContains(t, text.String(), "href")
			background := regexp.MustCompile(`<rect [^>]*fill="#([0-9a-f]{6})"`)
			for _, colour := range background.FindAllStringSubmatch(text.String(), -1) {
				contrast := 1.05 / (luminance(t, colour[1]) + 0.05)
				assert.Greater(t, contrast, 5.0, colour[1])
			}
		})
	}
}
