package aadsts_test

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor/aadsts"
	fake "mcpentra/fakeentra/aadsts"
	"mcpentra/server/entra"
)

// reported are codes that break MCP deployments, whether or not the fake answers with them.
var reported = []int{
	240002, 28000, 50011, 50076, 50079, 501461, 501491, 53003, 65001, 650052, 650053, 650057, 70011, 70043, 7000114,
	700025, 900144, 90009, 901002, 9010010, 65002, 500121, 500011, 700016, 7000215, 70002, 90010, 50012, 50089,
}

// TestEveryCodeIsExplained wants an explanation of each code that the fake knows, that the server
// has advice for, or that people report.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	assert.GreaterOrEqual(t, len(fake.Catalogue()), 130)
	for _, entry := range fake.Catalogue() {
		explanation, known := aadsts.Explain(entry.Number)
		assert.True(t, known, "the fake answers with %d", entry.Number)
		assert.Equal(t, entry.Number, explanation.Code)
	}
	for _, code := range reported {
		_, known := aadsts.Explain(code)
		assert.True(t, known, "people report %d", code)
	}
	advised := 0
	for code := 10_000; code < 10_000_000; code++ {
		if entra.Advice(code) == "" {
			continue
		}
		advised++
		_, known := aadsts.Explain(code)
		assert.True(t, known, "the server has advice for %d", code)
	}
	assert.Greater(t, advised, 60)
	assert.IsIncreasing(t, aadsts.Codes())
}

// TestExplanationsAreComplete wants settings that exist, links of one site, and no names in braces.
func TestExplanationsAreComplete(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../../.env.example")
	require.NoError(t, err)
	setting := regexp.MustCompile(`\b(AUTH|MCP|STORE)_[A-Z_]+\b`)
	for _, code := range aadsts.Codes() {
		explanation, _ := aadsts.Explain(code)
		texts := []string{explanation.Meaning, explanation.Why}
		for _, fix := range explanation.Fixes {
			assert.NotEmpty(t, fix.Place, code)
			texts = append(texts, fix.Where, fix.Text)
		}
		for _, text := range texts {
			assert.NotEmpty(t, text, code)
			assert.NotRegexp(t, `[{}]|\[\[|\]\]`, text, code)
			for _, name := range setting.FindAllString(text, -1) {
				assert.Contains(t, string(example), name+"=", "%d names an unknown setting", code)
			}
		}
		assert.NotEmpty(t, explanation.Shows, code)
		assert.NotEmpty(t, explanation.Text, code)
		for _, link := range explanation.Links {
			address, err := url.Parse(link)
			require.NoError(t, err)
			assert.Equal(t, "learn.microsoft.com", address.Host, code)
		}
	}
}

// TestSentencesAgreeWithTheFake pastes each answer of the fake. The sentence of the explanation
// must recognize it without the code, too, unless another code has the same one.
func TestSentencesAgreeWithTheFake(t *testing.T) {
	t.Parallel()
	occurrence := fake.Occurrence{
		TraceID:       "0f0e0d0c-0000-4000-8000-000000000001",
		CorrelationID: "0f0e0d0c-0000-4000-8000-000000000002",
		Authority:     "https://login.microsoftonline.com",
	}
	for _, entry := range fake.Catalogue() {
		problem, _ := fake.Find(entry.Number)
		findings := aadsts.Find(string(problem.JSON(occurrence)))
		require.Len(t, findings, 1, entry.Number)
		found := findings[0]
		assert.Equal(t, entry.Number, found.Code)
		assert.Equal(t, aadsts.Marked, found.Sign)
		assert.Equal(t, occurrence.TraceID, found.TraceID, entry.Number)
		assert.Equal(t, occurrence.CorrelationID, found.CorrelationID, entry.Number)
		assert.Equal(t, problem.Code, found.Error, entry.Number)
		assert.Equal(t, problem.Suberror, found.Suberror, entry.Number)
		assert.Equal(t, problem.Suberror != "", found.SuberrorMeaning != "", entry.Number)
		if len(entry.Sentence) < 60 || strings.Contains(entry.Sentence, "%s") && len(entry.Sentence) < 90 {
			continue
		}
		var codes []int
		for _, guess := range aadsts.Find(problem.Message) {
			codes = append(codes, guess.Code)
		}
		assert.Contains(t, codes, entry.Number, problem.Message)
	}
}

func TestNeighboursBeginAlike(t *testing.T) {
	t.Parallel()
	near := aadsts.Neighbours(700219)
	require.NotEmpty(t, near)
	for _, explanation := range near {
		assert.Regexp(t, `^70021`, explanation.Code)
	}
	assert.LessOrEqual(t, len(aadsts.Neighbours(7000999)), 5)
	assert.Empty(t, aadsts.Neighbours(123456))
	assert.Empty(t, aadsts.Neighbours(-7))
	for _, explanation := range aadsts.Neighbours(50011) {
		assert.NotEqual(t, 50011, explanation.Code)
	}
}
