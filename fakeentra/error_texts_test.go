package fakeentra_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// An errorText is a row of testdata/entra/error-texts.json: the text of an error, and the rest of
// the answer that it was recorded in.
type errorText struct {
	Number     int
	Case       string // distinguishes the rows of one number
	Date       string
	Source     string
	Confidence string
	Where      string // token, redirect, page or discovery
	Status     int    // of JSON
	Error      string // nothing on a page
	ErrorURI   *bool  `json:"error_uri"` // false if the answer was recorded without one
	Suberror   string
	Text       string // with {} for each value
}

func (e *errorText) name() string { return strings.TrimSpace(fmt.Sprint(e.Number, " ", e.Case)) }

// uri is the error_uri of a token answer, or nothing.
func (e *errorText) uri() string {
	if e.ErrorURI != nil {
		return ""
	}
	return fmt.Sprintf("%s/error?code=%d", login, e.Number)
}

// sentence checks a text that begins with the number and the recorded sentence.
func (e *errorText) sentence(t *testing.T, got, rest string) {
	t.Helper()
	pattern := strings.ReplaceAll(regexp.QuoteMeta(e.Text), regexp.QuoteMeta("{}"), ".*?")
	assert.Regexp(t, fmt.Sprintf("^AADSTS%d: %s%s$", e.Number, pattern, rest), got)
}

const (
	guidPattern = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	occurrence  = " Trace ID: " + guidPattern + " Correlation ID: " + guidPattern +
		` Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`
)

// check compares an answer with the row.
func (e *errorText) check(t *testing.T, got answer) {
	t.Helper()
	switch e.Where {
	case "page":
		assert.Equal(t, http.StatusOK, got.Status)
		assert.Empty(t, got.Header.Get("Location"))
		assert.Contains(t, got.Body, `<meta name="PageID" content="ConvergedError"/>`)
		config := pageConfig(t, got)
		assert.Equal(t, e.Number, config.Code)
		assert.Equal(t, http.StatusBadRequest, config.HTTPCode)
		e.sentence(t, config.Service, "")
	case "redirect":
		params := returned(t, got)
		assert.Equal(t, e.Error, params.Get("error"))
		assert.Equal(t, e.uri(), params.Get("error_uri"))
		e.sentence(t, params.Get("error_description"), occurrence)
	default:
		assert.Equal(t, e.Status, got.Status)
		assert.Equal(t, e.Error, got.text("error"))
		assert.Equal(t, e.Number, got.number(t))
		assert.Equal(t, e.uri(), got.text("error_uri"))
		assert.Equal(t, e.Suberror, got.text("suberror"))
		if e.Where == "token" {
			assert.Equal(t, fmt.Sprintf("1,%d,0,,", e.Number), got.Header.Get("x-ms-clitelem"))
		}
		e.sentence(t, got.text("error_description"), occurrence)
	}
}

// A config is the part of an error page that scripts read.
type config struct {
	Service  string `json:"strServiceExceptionMessage"`
	HTTPCode int    `json:"iHttpErrorCode"`
	Code     int    `json:"iErrorCode"`
}

func pageConfig(t *testing.T, got answer) (found config) {
	t.Helper()
	_, rest, _ := strings.Cut(got.Body, "$Config=")
	text, _, isPage := strings.Cut(rest, ";\n")
	require.True(t, isPage, got.Body)
	require.NoError(t, json.Unmarshal([]byte(text), &found), text)
	return found
}

// Each recorded error is what the fake answers: text, code, status, suberror and error_uri.
func TestErrorTextsOfEntra(t *testing.T) {
	t.Parallel()
	var file struct {
		Source string
		Texts  []errorText
	}
	readGolden(t, "error-texts.json", &file)
	require.NotEmpty(t, file.Source)
	require.Greater(t, len(file.Texts), 40)
	seen := map[string]bool{}
	for _, row := range file.Texts {
		name := row.name()
		assert.False(t, seen[name], "%s appears twice", name)
		seen[name] = true
		assert.NotEmpty(t, cmp.Or(row.Date, row.Source), name)
		assert.Regexp(t, `^(by )?\d{4}-\d\d-\d\d$`, row.Date, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provoke := errorCauses[name]
			require.NotNil(t, provoke, "errorCauses lacks the request that causes it")
			row.check(t, provoke(t))
		})
	}
	for name := range errorCauses {
		assert.True(t, seen[name], "no row for %s", name)
	}
}

// The page about an error is on the host of the cloud.
func TestErrorURIOfClouds(t *testing.T) {
	t.Parallel()
	for cloud, host := range map[fakeentra.Cloud]string{
		fakeentra.PublicCloud: "https://login.microsoftonline.com",
		fakeentra.USGov:       "https://login.microsoftonline.us",
		fakeentra.USGovDoD:    "https://login.microsoftonline.us",
		fakeentra.China:       "https://login.partner.microsoftonline.cn",
	} {
		fake := newFake(t, fakeentra.Config{Cloud: cloud})
		address := host + "/" + directory.DefaultTenantID + "/oauth2/v2.0/token"
		form := with(appForm(), map[string]string{"client_secret": "wrong"})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		assert.Equal(t, host+"/error?code=7000215", do(t, fake, r).text("error_uri"), cloud)
	}
}
