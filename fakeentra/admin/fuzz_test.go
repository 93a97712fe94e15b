package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
)

// An example is a request that README.md shows.
type example struct{ method, path, body string }

// examples are those in the table of README.md, and each endpoint without a body.
func examples(t testing.TB) []example {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var found []example
	for line := range strings.Lines(string(readme)) {
		row := regexp.MustCompile("^\\| ((?:`[A-Z]+ /[^`]*`,? ?)+)\\| (.*) \\|\n$").FindStringSubmatch(line)
		if row == nil {
			continue
		}
		for _, one := range regexp.MustCompile("`([A-Z]+) (/[^`]*)`").FindAllStringSubmatch(row[1], -1) {
			found = append(found, example{one[1], one[2], ""})
			for _, body := range regexp.MustCompile("`(\\{[^`]*\\})`").FindAllStringSubmatch(row[2], -1) {
				found = append(found, example{one[1], one[2], body[1]})
			}
			for _, query := range regexp.MustCompile("`(\\?[^`]*)`").FindAllStringSubmatch(row[2], -1) {
				found = append(found, example{one[1], one[2] + query[1], ""})
			}
		}
	}
	require.Greater(t, len(found), 25, "the table of README.md")
	return found
}

// try sends a request whose sender has gone, so that nothing waits.
func (c control) try(t testing.TB, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost:8401/", strings.NewReader(body))
	require.NoError(t, err)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, r)
	return answer
}

// told is all that the API tells.
func (c control) told(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, one := range admin.Endpoints() {
		if one.Method == http.MethodGet {
			answer := c.try(t, one.Method, one.Path, "")
			require.Equal(t, http.StatusOK, answer.Code, "%s: %s", one.Path, answer.Body)
			all.Write(answer.Body.Bytes())
		}
	}
	return all.String()
}

// state is what the API tells and what it can change besides: the keys, and chaos, which would
// spoil them.
func (c control) state(t testing.TB) string {
	t.Helper()
	keys := httptest.NewRecorder()
	c.ServeHTTP(keys, httptest.NewRequest(http.MethodGet, keysURL, nil))
	c.Journal().Clear()
	return c.told(t) + keys.Body.String()
}

func newFixedControl(t testing.TB) control {
	t.Helper()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	fake, err := fakeentra.New(fakeentra.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	return control{fake, admin.Handler(fake)}
}

// judge is what holds for every request: a success, or an error in words that has changed nothing.
func judge(t testing.TB, c control, before string, answer *httptest.ResponseRecorder) {
	t.Helper()
	if answer.Code < 300 {
		assert.Contains(t, []int{http.StatusOK, http.StatusNoContent}, answer.Code)
		c.told(t) // still can
		return
	}
	assert.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, answer.Code, answer.Body)
	var got struct{ Error string }
	assert.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got), answer.Body)
	assert.NotEmpty(t, got.Error)
	assert.Equal(t, before, c.state(t), "a refused request has changed something")
}

func TestExamplesOfREADME(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, one := range examples(t) {
		path, _, _ := strings.Cut(one.path, "?")
		listed[one.method+" "+path] = true
		c := newFixedControl(t)
		before := c.state(t)
		answer := c.try(t, one.method, one.path, one.body)
		judge(t, c, before, answer)
		if one.body != "" && one.path != "/journal/take" { // nothing was received
			assert.Less(t, answer.Code, 300, "%s %s: %s", one.path, one.body, answer.Body)
		}
	}
	for _, one := range admin.Endpoints() {
		assert.True(t, listed[one.Method+" "+one.Path], "%s %s is not in README.md", one.Method, one.Path)
	}
}

// Whatever is sent, the answer is a success or a clear error, and an error has changed nothing.
func FuzzRequests(f *testing.F) {
	endpoints := admin.Endpoints()
	index := map[string]int{}
	for i, one := range endpoints {
		index[one.Method+" "+one.Path] = i
	}
	for _, one := range examples(f) {
		if path, query, asks := strings.Cut(one.path, "?"); asks {
			f.Add(index[one.method+" "+path], query, one.body)
		} else {
			f.Add(index[one.method+" "+path], "", one.body)
		}
	}
	for _, test := range []struct {
		on     string
		bodies []string
	}{
		{"POST /tokens", []string{
			`{"claims": {"aud": 7, "iat": "x", "exp": null, "": {}}, "header": {"alg": null, "kid": []}, "version": 3}`,
			`{"kind": "id", "age": "-99999h", "lifetime": "2540400h"}`,
			`{"kind": "app", "tenant": "", "algorithm": "HS256", "key": "stranger"}`,
			`null`,
			`[]`,
			`{} }`,
			`{"scopes": [null]}`,
			"{\"user\": \"\xff\"}",
		}},
		{"POST /tokens/bad", []string{
			`{"claims": {"aud": 7, "iss": null, "tid": [], "scp": {}, "exp": "x", "nbf": null, "ver": 2}}`,
			`{"kind": "app"}`,
		}},
		{"POST /faults", []string{
			`[{"on": "token", "status": 429}, {"on": "nowhere"}]`,
			`[null]`,
			`[[]]`,
			`{"edit": {"a": {"b": null}}, "header": {"X\u0000": "y"}}`,
			`{"delay": "-1s", "nth": -1, "times": -2}`,
		}},
		{"PUT /chaos", []string{
			`{"share": 1e400}`,
			`{"share": 0.5, "faults": []}`,
			`{"share": 1, "faults": [{"on": "x"}]}`,
			`{"seed": -1}`,
		}},
		{"POST /clock", []string{
			`{"freeze": "9999-12-31T23:59:59Z", "advance": "1h"}`,
			`{"advance": "2562047h"}`,
			`{"advance": "-2562047h"}`,
			`{"freeze": "0001-01-01T00:00:00Z"}`,
			`{"freeze": null}`,
		}},
		{
			"POST /journal/take",
			[]string{`{"endpoint": "x"}`, `{"wait": "-1s"}`, `{"wait": "11m"}`, `{"status": "400"}`},
		},
		{"PUT /directory", []string{
			`{"tenants": [{"id": "x"}]}`,
			`{"tenants": null}`,
			`null`,
			`{"faults": [{"on": "token", "drop": true}]}`,
			`{"tenants": [{}, {}]}`,
			"{\"tenants\": *a}",
		}},
		{"POST /reset", []string{`{"now": true}`, `0`}},
	} {
		for _, body := range test.bodies {
			f.Add(index[test.on], "", body)
		}
	}
	f.Add(index["GET /journal"], "status=-1&aadsts=99999999999999999999", "")
	f.Add(index["GET /journal/transcript"], "endpoint=%zz;&path=%00", "")
	f.Fuzz(func(t *testing.T, which int, query, body string) {
		one := endpoints[uint(which)%uint(len(endpoints))]
		c := newFixedControl(t)
		before := c.state(t)
		answer := c.try(t, one.Method, one.Path+"?"+query, body)
		if answer.Header().Get("Content-Type") == "text/plain; charset=utf-8" {
			return // the transcript
		}
		judge(t, c, before, answer)
		if one.Method+one.Path == "PUT/directory" { // and whatever it holds can be signed in to
			for _, path := range []string{
				"/common/oauth2/v2.0/authorize",
				"/x/oauth2/authorize",
				"/organizations/v2.0/adminconsent",
				"/x/discovery/keys",
			} {
				request := httptest.NewRequest(
					http.MethodGet,
					path+"?client_id=x&redirect_uri=http://localhost&scope=openid&response_type=code&prompt=none",
					nil,
				)
				c.ServeHTTP(httptest.NewRecorder(), request)
			}
		}
	})
}
