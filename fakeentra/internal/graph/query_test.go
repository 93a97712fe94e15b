package graph_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that follows every @odata.nextLink gets each entry once.
func TestPaging(t *testing.T) {
	t.Parallel()
	s := newTester(t, 3)
	const token = "app.User.Read.All"
	for address, want := range map[string]int{
		"/v1.0/users":                        4,
		"/v1.0/users?$top=4&$select=id,mail": 3,
		"/beta/users?$filter=accountEnabled eq true&$select=id": 3,
		"/v1.0/users?$top=10": 1,
	} {
		seen := map[any]bool{}
		pages := 0
		for next := address; next != ""; pages++ {
			got := s.page(token, next)
			for _, id := range got.names("id") {
				assert.False(t, seen[id], "%s: %s twice", address, id)
				seen[id] = true
			}
			next = strings.TrimPrefix(got.Next, "https://graph.microsoft.com")
			require.Less(t, pages, 10)
		}
		assert.Equal(t, want, pages, address)
		assert.GreaterOrEqual(t, len(seen), 9, address)
	}
	next := s.page(token, "/v1.0/users").Next
	assert.NotContains(t, next, "=3", "the token is opaque")
	token2 := next[strings.Index(next, "$skiptoken="):]
	for _, bad := range []string{"/v1.0/users?$skiptoken=x", "/v1.0/users?$top=5&" + token2, "/beta/users?" + token2} {
		answer := s.send(token, bad, "")
		code, _ := refused(t, answer)
		assert.Equal(t, "Directory_ExpiredPageToken", code, bad)
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	const token = "app.Directory.Read.All"
	for _, test := range []struct {
		address  string
		advanced bool
		want     []any // display names
	}{
		{"users?$filter=userPrincipalName eq 'adelev@CONTOSO.onmicrosoft.com'", false, []any{"Adele Vance"}},
		{
			"users?$filter=startswith(displayName,'Ale') or surname eq 'Vance'", false,
			[]any{"Adele Vance", "Alex Wilber"},
		},
		{"users?$filter=displayName in ('Extra 1', 'Extra 2')", false, []any{"Extra 1", "Extra 2"}},
		{"users?$filter=accountEnabled eq false", false, []any{"Extra 0"}},
		{"users?$filter=(mail eq null and startsWith(displayName,'Extra')) and displayName eq 'Extra 3'", false,
			[]any{"Extra 3"}},
		{"users?$filter=displayName eq 'O''Hara'", false, []any{}},
		{"users?$filter=jobTitle ne null&$count=true", true, []any{"Adele Vance", "Alex Wilber"}},
		{"users?$filter=not(startswith(displayName,'Extra'))&$count=true", true, []any{"Adele Vance", "Alex Wilber"}},
		{"users?$filter=endsWith(displayName,'7')&$count=true", true, []any{"Extra 7"}},
		{`users?$search="displayName:wilb"`, true, []any{"Alex Wilber"}},
		{"users?$orderby=displayName desc&$top=2", false, []any{"Extra 7", "Extra 6"}},
		{"groups?$filter=securityEnabled eq true and startswith(displayName,'Tool')", false, []any{"Tool makers"}},
		{
			"groups/" + outerID + "/members?$filter=startswith(displayName,'A')&$count=true", true,
			[]any{"Alex Wilber"},
		},
	} {
		s.header = http.Header{}
		if test.advanced {
			address, _, _ := strings.Cut(test.address, "&$count")
			answer := s.send(token, "/v1.0/"+address, "")
			code, _ := refused(t, answer)
			assert.Equal(t, "Request_UnsupportedQuery", code, "%s without the header", test.address)
			s.header.Set("ConsistencyLevel", "eventual")
		}
		got := s.page(token, "/v1.0/"+test.address)
		assert.Equal(t, test.want, got.names("displayName"), test.address)
		assert.Equal(t, test.advanced && strings.Contains(test.address, "$count"), got.Count != nil, test.address)
	}
}

// What Graph does not support is 400, never a wrong answer.
func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := newTester(t, 100)
	for _, test := range []struct {
		address string
		code    string
		message string
	}{
		{"users?$top=0", "Request_BadRequest", "page size specified: '0'. Must be between 1 and 999 inclusive."},
		{"users?$top=1000", "Request_BadRequest", "Invalid page size specified: '1000'"},
		{"users?$top=x", "BadRequest", "Invalid value 'x' for $top query option found."},
		{"users?$top=1&$top=2", "BadRequest", "more than once"},
		{"users?$skip=1", "BadRequest", "'$skip' is not supported"},
		{"users?$expand=manager", "BadRequest", "'$expand' is not supported"},
		{
			"users?$filter=shoeSize eq 'x'", "BadRequest",
			"Could not find a property named 'shoeSize' on type 'microsoft.graph.user'",
		},
		{
			"users?$filter=businessPhones eq 'x'", "Request_UnsupportedQuery",
			"Unsupported or invalid query filter clause specified for property 'businessPhones' of resource 'User'.",
		},
		{"users?$filter=displayName gt 'x'", "Request_UnsupportedQuery", "for property 'displayName'"},
		{"users?$filter=displayName eq", "BadRequest", "a value is missing"},
		{"users?$filter=displayName eq 'x", "BadRequest", "unterminated string literal"},
		{"users?$filter=displayName eq Adele", "BadRequest", "Syntax error at 'Adele'"},
		{"users?$filter=accountEnabled eq 'true'", "BadRequest", "incompatible types"},
		{"users?$filter=displayName eq 'x' mail eq 'y'", "BadRequest", "unexpected mail"},
		{"users?$filter=(displayName eq 'x'", "BadRequest", "')' or operator expected"},
		{"users?$filter=contains(displayName,'x')", "BadRequest", "unknown function with name 'contains'"},
		{"users?$filter=displayName in ('x'", "BadRequest", "')' or ',' expected"},
		{
			"users?$filter=displayName in (" + strings.Repeat("'x',", 15) + "'x')",
			"Request_UnsupportedQuery", "Max allowed: 15",
		},
		{"users?$filter=" + strings.Repeat("(", 30) + "displayName eq 'x'", "BadRequest", "nested deeper"},
		{"users?$filter=displayName eq '" + strings.Repeat("x", 5000) + "'", "BadRequest", "more than 4096"},
		{"users?$filter=displayName ne 'x'", "Request_UnsupportedQuery", "Operator 'NotEqualsMatch' is not supported"},
		{"users?$search=adele", "BadRequest", "with its quotes"},
		{"users?$orderby=shoeSize", "Request_UnsupportedQuery", "Sorting not supported"},
		{"users/$count", "Request_BadRequest", "$count is not currently supported."},
		{"groups/" + outerID + "/members?$filter=id eq 'x'", "Request_UnsupportedQuery", "reference property query"},
		{"users?$select=id&%zz", "BadRequest", "not well formed"},
	} {
		answer := s.send("app.Directory.Read.All", "/v1.0/"+test.address, "")
		assert.Equal(t, http.StatusBadRequest, answer.Code, test.address)
		code, message := refused(t, answer)
		assert.Equal(t, test.code, code, test.address)
		assert.Contains(t, message, test.message, test.address)
	}
	s.header.Set("ConsistencyLevel", "eventual")
	count := s.send("app.Directory.Read.All", "/v1.0/users/$count?$filter=startswith(displayName,'E')", "")
	assert.Equal(t, "8", count.Body.String())
}

// No query makes Graph fail.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"displayName eq 'x'",
		"startswith(mail,'a') and not (id in ('b','c''d'))",
		"accountEnabled ne true",
		"((((",
		"'",
	} {
		f.Add(seed, "displayName", "5")
	}
	f.Fuzz(func(t *testing.T, filter, selected, top string) {
		s := newTester(t, 2)
		s.header.Set("ConsistencyLevel", "eventual")
		query := url.Values{"$filter": {filter}, "$select": {selected}, "$top": {top}, "$count": {"true"}}
		answer := s.send("app.Directory.Read.All", "/v1.0/users?"+query.Encode(), "")
		assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, answer.Code, answer.Body)
	})
}
