package graph_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A batchAnswer is the answer to a batch.
type batchAnswer struct {
	Responses []struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"responses"`
}

func TestBatch(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	answer := s.send("person.User.Read,GroupMember.Read.All", "/v1.0/$batch", `{"requests":[
		{"id":"after","method":"GET","url":"/me/memberOf","dependsOn":["me"]},
		{"id":"me","method":"get","url":"/me?$select=displayName"},
		{"id":"denied","method":"GET","url":"/users"},
		{"id":"never","method":"GET","url":"/me","dependsOn":["denied"]},
		{"id":"post","method":"POST","url":"me/getMemberGroups","body":{"securityEnabledOnly":true},
		 "headers":{"Content-Type":"application/json"}},
		{"id":"photo","method":"GET","url":"/me/photo/$value"},
		{"id":"count","method":"GET","url":"/groups/$count","headers":{"ConsistencyLevel":"eventual"}}]}`)
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var got batchAnswer
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &got))
	want := map[string]struct {
		status int
		body   string
	}{
		"me":     {200, `"displayName":"Adele Vance"`},
		"after":  {200, "Tool makers"},
		"denied": {403, "Authorization_RequestDenied"},
		"never":  {424, "FailedDependency"},
		"post":   {200, outerID},
		"photo":  {200, `"/9j/`}, // a JPEG in base64
		"count":  {200, `"2"`},
	}
	require.Len(t, got.Responses, len(want))
	order := map[string]int{}
	for i, response := range got.Responses {
		assert.Equal(t, want[response.ID].status, response.Status, response.ID)
		assert.Contains(t, string(response.Body), want[response.ID].body, response.ID)
		assert.NotEmpty(t, response.Headers["Content-Type"], response.ID)
		order[response.ID] = i
	}
	assert.Less(t, order["me"], order["after"])
}

func TestBadBatches(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	one := func(id, url, more string) string {
		return `{"id":"` + id + `","method":"GET","url":"` + url + `"` + more + `}`
	}
	for _, test := range []struct {
		requests string
		want     string
	}{
		{strings.Repeat(one("x", "/me", "")+",", 20) + one("x", "/me", ""), "exceeds the maximum value of 20"},
		{one("", "/me", ""), "unique and non-empty"},
		{one("x", "/me", "") + "," + one("x", "/me", ""), "unique and non-empty"},
		{one("x", "https://evil.example/me", ""), "want the address of request 'x'"},
		{one("x", "//evil.example/me", ""), "want the address of request 'x'"},
		{one("x", "/$batch", ""), "want the address of request 'x'"},
		{one("x", "/me", `,"dependsOn":["y"]`), "Invalid dependsOn of request 'x'"},
		{one("x", "/me", `,"dependsOn":["x"]`), "Invalid dependsOn of request 'x'"},
		{`{"id":"x","url":"/me"}`, "no HTTP method"},
		{`7`, "Invalid batch payload format."},
	} {
		answer := s.send("person.User.Read", "/v1.0/$batch", `{"requests":[`+test.requests+`]}`)
		assert.Equal(t, http.StatusBadRequest, answer.Code, test.requests)
		_, message := refused(t, answer)
		assert.Contains(t, message, test.want, test.requests)
	}
}
