package aadsts_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor/aadsts"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// codes returns the codes of findings.
func codes(findings []aadsts.Finding) []int {
	var all []int
	for _, finding := range findings {
		all = append(all, finding.Code)
	}
	return all
}

// fixes joins the fixes of a finding.
func fixes(finding aadsts.Finding) string {
	var text strings.Builder
	for _, fix := range finding.Explanation.Fixes {
		fmt.Fprintf(&text, "%s | %s | %s\n", fix.Place, fix.Where, fix.Text)
	}
	return text.String()
}

func TestFindReadsWhatPeoplePaste(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]int{
		"50011":                              {50011},
		" 50011\n":                           {50011},
		"AADSTS50011":                        {50011},
		"AADSTS50011:":                       {50011},
		"aadsts50011: no":                    {50011},
		"AADSTS 50011":                       {50011},
		"AADSTS-50011":                       {50011},
		"(AADSTS50011)":                      {50011},
		"xAADSTS50011x":                      {50011},
		"error code: 50011":                  {50011},
		"Error Code 50011":                   {50011},
		"Sign-in error code is 50011":        {50011},
		`{"error_codes":[50011]}`:            {50011},
		`{"error_codes" : [ 70002, 54005 ]}`: {70002, 54005},
		`{"errorCode":"530003"}`:             {530003},
		"https://login.microsoftonline.com/error?code=7000215": {7000215},
		"AADSTS7000215":                          {7000215},
		"AADSTS70002154321":                      nil, // longer than any code
		"AADSTS700021":                           {700021},
		"AADSTS70021: AADSTS700211: AADSTS70021": {70021, 700211},
		"AADSTS99999999":                         {99999999},
		"12345678":                               {12345678},
		"took 50011 ms":                          {50011},
		"took 50012345 ms":                       nil,
		"id-50011 50011_x x50011 5001":           nil,
		"port 65001, AADSTS50011":                {50011},
		"":                                       nil,
		"AADSTS":                                 nil,
		"AADSTS0":                                nil,
		"nothing":                                nil,
		"error=invalid_client&error_description=AADSTS650053%3a+The+application+%27x%27+asked": {650053},
		"error_description=AADSTS65001:+The+user+or+administrator":                             {65001},
		"error_description%3DAADSTS65001%253a%2bThe":                                           {65001},
		"http://localhost:1/cb#error=x&error_description=AADSTS9010010%3A%20The%20resource":    {9010010},
		"&quot;AADSTS50011:&quot; The redirect URI &#39;x&#39;":                                {50011},
		`{\"error_description\":\"AADSTS500113: No reply address\"}`:                           {500113},
		"<b>AADSTS</b>50011":           {50011},
		`<a title="AADSTS50011">x</a>`: {50011},
		"The   resource parameter provided\nin the request doesn't match with the requested scopes.": {9010010},
		"\xff\xfe AADSTS50011 \x00": {50011},
		"AADSTS۵۰۰۱۱":               nil,
	} {
		found := codes(aadsts.Find(text))
		assert.Equal(t, want, found, "%q", text)
	}
}

// TestFixesHoldValuesOfText wants the values that a message names in the advice.
func TestFixesHoldValuesOfText(t *testing.T) {
	t.Parallel()
	const app = "11111111-1111-1111-1111-111111111111"
	const api = "22222222-2222-2222-2222-222222222222"
	for text, want := range map[string][]string{
		"AADSTS50011: The redirect URI 'https://mcp.example.com/auth/callback' specified in the request does " +
			"not match " +
			"the redirect URIs configured for the application '" + app + "'. Make sure": {
			"App registrations > " + app + " >", "Add https://mcp.example.com/auth/callback exactly",
		},
		"AADSTS50011: The reply URL specified in the request does not match the reply URLs configured for the " +
			"application: '" + app + "'.": {"App registrations > " + app},
		"GET /authorize?client_id=" + app + "&redirect_uri=http%3A%2F%2Flocalhost%3A3000%2Fcb&x=1 AADSTS50011": {
			app, "Add http://localhost:3000/cb exactly",
		},
		"https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/authorize?client_id=" + app +
			"&resource=https%3A%2F%2Fmcp.example.com%2Fmcp&scope=openid AADSTS9010010: The resource parameter": {
			"add https://mcp.example.com/mcp as an identifier",
		},
		`level=error msg="refused" resource="https://mcp.example.com/mcp" err="AADSTS901002"`: {
			"Leave https://mcp.example.com/mcp out",
		},
		`{"error_description":"AADSTS65001: The user or administrator has not consented to use the application with ` +
			`ID \u0027` + app + `\u0027 named \u0027Contoso MCP\u0027. Send an interactive"}`: {
			"App registrations > Contoso MCP (" + app + ") > API permissions",
		},
		"AADSTS650057: Invalid resource. The client has requested access to a resource which is not listed in the " +
			"requested permissions in the client's application registration. Client app ID: " + app +
			"(VS Code). Resource value from request: api://x. Resource app ID: " + api + ". List of valid resources": {
			"VS Code (" + app + ")", "Add " + api + " (in the request api://x)",
		},
		"AADSTS500011: The resource principal named https://mcp.example.com/mcp was not found in the tenant named " +
			"Contoso. This can": {"Compare the URI with https://mcp.example.com/mcp.", "in place of Contoso"},
		"AADSTS500011: The resource principal named api://y was not": {"Compare the URI with api://y."},
		"AADSTS700213: No matching federated identity record found for presented assertion subject " +
			"'system:serviceaccount:mcp:default'. Check": {"Write system:serviceaccount:mcp:default."},
		"AADSTS50105: Your administrator has configured the application Tools ('" + app + "') to block users " +
			"unless they " +
			"are specifically granted ('assigned') access to the application. The signed in user " +
			"'ada@example.com' is " +
			"blocked": {"Enterprise applications > Tools (" + app + ") > Users", "Assign ada@example.com"},
		"error_description=AADSTS650053%3a+The+application+%27Tools%27+asked+for+scope+%27access_as_user%27+that+" +
			"doesn%27t+exist+on+the+resource+%2700000003-0000-0000-c000-000000000000%27.": {"in place of " +
			"access_as_user"},
	} {
		findings := aadsts.Find(text)
		require.Len(t, findings, 1, text)
		for _, part := range want {
			assert.Contains(t, fixes(findings[0]), part, text)
		}
	}
}

// TestFindKeepsErrorsApart wants the values and IDs beside each code, and of the last answer.
func TestFindKeepsErrorsApart(t *testing.T) {
	t.Parallel()
	id := func(n int) string { return fmt.Sprintf("0f0e0d0c-0000-4000-8000-%012d", n) }
	line := func(code string, n int) string {
		return "AADSTS" + code + " Trace ID: " + id(n) + " Correlation ID: " + id(n+50) + " Timestamp: " +
			"2026-11-22 18:00:0" +
			fmt.Sprint(n) + "Z\n"
	}
	text := line("7000215: wrong", 1) + line("90002: Tenant 'a' not found. Check", 2) + line("7000215:", 3)
	findings := aadsts.Find(text)
	require.Equal(t, []int{7000215, 90002}, codes(findings))
	assert.Equal(t, id(3), findings[0].TraceID)
	assert.Equal(t, id(53), findings[0].CorrelationID)
	assert.Equal(t, "2026-11-22 18:00:03Z", findings[0].Timestamp)
	assert.Equal(t, id(2), findings[1].TraceID)
	assert.Contains(t, fixes(findings[1]), "in place of a.")
	assert.NotContains(t, fixes(findings[0]), "place of a.")
}

func TestFindReadsClaimsChallenge(t *testing.T) {
	t.Parallel()
	const policy = "5a1e0007-0000-4000-8000-000000000001"
	findings := aadsts.Find(`{"error":"invalid_grant","error_description":"AADSTS53003: Access has been ` +
		`blocked","suberror":` +
		`"message_only","claims":"{\"access_token\":{\"capolids\":{\"essential\":true,\"values\":` +
		`[\"` + policy + `\"]}}}"}`)
	require.Len(t, findings, 1)
	assert.Equal(t, &aadsts.Challenge{Policies: []string{policy}}, findings[0].Challenge)
	assert.Equal(t, "message_only", findings[0].Suberror)

	findings = aadsts.Find(`WWW-Authenticate: Bearer realm="", error="insufficient_claims", ` +
		`claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwgInZhbHVlIjoiMTYwNDEwNjY1MSJ9fX0="`)
	require.Len(t, findings, 1)
	assert.Zero(t, findings[0].Code)
	assert.True(t, findings[0].Known)
	assert.Equal(t, &aadsts.Challenge{Revoked: true}, findings[0].Challenge)

	findings = aadsts.Find(`claims={"access_token":{"acrs":{"essential":true,"value":"c1"}}}`)
	require.Len(t, findings, 1)
	assert.Equal(t, []string{"c1"}, findings[0].Challenge.Contexts)
}

// TestFindReadsAnswersOfFake pastes an error page and a redirect of the fake.
func TestFindReadsAnswersOfFake(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	client := fake.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	authorize := func(redirect, more string) *http.Response {
		query := url.Values{
			"client_id":     {directory.DefaultClientID},
			"response_type": {"code"},
			"redirect_uri":  {redirect},
		}
		response, err := client.Get("https://login.microsoftonline.com/" + directory.DefaultTenantID +
			"/oauth2/v2.0/authorize?" + query.Encode() + more)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	page, err := io.ReadAll(authorize("https://mcp.example.com/o'neill?secret=hush&a=b", "&scope=openid").Body)
	require.NoError(t, err)
	findings := aadsts.Find(string(page))
	require.Equal(t, []int{50011}, codes(findings))
	assert.Contains(t, fixes(findings[0]), "Add https://mcp.example.com/o'neill?… exactly")
	assert.Contains(t, fixes(findings[0]), directory.DefaultClientID)
	assert.Len(t, findings[0].TraceID, 36)
	assert.Len(t, findings[0].CorrelationID, 36)
	assert.NotContains(t, fixes(findings[0]), "hush")

	location := authorize("http://localhost:8000/auth/callback", "&scope=openid&resource=https://mcp.example.com").
		Header.Get("Location")
	findings = aadsts.Find(location)
	require.Equal(t, []int{9010010}, codes(findings), location)
	assert.Equal(t, "invalid_target", findings[0].Error)
	assert.Len(t, findings[0].TraceID, 36)
}

// TestFindRepeatsNoSecrets wants none of the secrets around an error in a finding.
func TestFindRepeatsNoSecrets(t *testing.T) {
	t.Parallel()
	const secret = "abc8Q~Zz0123456789abcdefghijklmnopqrstuv"
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
	const refresh = "1.AXoA0123456789abcdefghijklmn"
	for _, text := range []string{
		"client_secret=" + secret + " AADSTS7000215",
		"client_id=" + secret + " AADSTS700016",
		"AADSTS700016: Application with identifier '" + secret + "' was not found in the directory '" + token +
			"'. This can",
		"AADSTS50011: The redirect URI 'https://user:hunter2@h/cb?code=" + secret + "' specified in the request " +
			"does not " +
			"match the redirect URIs configured for the application '" + token + "'. Make",
		"resource=https://h/mcp?key=hunter2 AADSTS9010010",
		"scope=" + refresh + " AADSTS70011: The scope " + refresh + " is not valid.",
		"AADSTS90014: The required field '" + refresh + "' is missing from the credential.",
		"Authorization: Bearer " + token + " AADSTS50013 refresh_token=" + refresh + "&password=hunter2",
		"AADSTS65001 trace_id=" + token + " suberror=" + secret,
	} {
		findings := aadsts.Find(text)
		require.Len(t, findings, 1, text)
		for _, hidden := range []string{secret, token, refresh, "hunter2"} {
			assert.NotContains(t, fmt.Sprintf("%+v", findings), hidden, text)
		}
	}
}

// TestFindCleansValues wants no control characters, and no endless values.
func TestFindCleansValues(t *testing.T) {
	t.Parallel()
	findings := aadsts.Find("AADSTS90002: Tenant 'a\x1b[31m\u202e\u0007b' not found. Check")
	require.Len(t, findings, 1)
	assert.NotRegexp(t, "[\x00-\x09\x0b-\x1f\u202e]", fixes(findings[0]))
	findings = aadsts.Find("AADSTS90002: Tenant '" + strings.Repeat("a ", 140) + "' not found.")
	require.Len(t, findings, 1)
	assert.Less(t, len(fixes(findings[0])), 1000)
}

// TestFindIsBounded wants an end for texts that repeat a beginning. Find reads no more than
// MostBytes.
func TestFindIsBounded(t *testing.T) {
	t.Parallel()
	const size = 1 << 17
	for _, part := range []string{
		"AADSTS", "AADSTS50011: The redirect URI '", "%41%41", "&#65;", `\u0041`, "<a", "error_description=", "50011 ",
		"AADSTS50011%3a+", `"claims":"{`, "a", `{"access_token":{"a":{`,
	} {
		findings := aadsts.Find(strings.Repeat(part, size/len(part)))
		assert.LessOrEqual(t, len(findings), 20, part)
	}
	assert.Empty(t, aadsts.Find(strings.Repeat(" ", aadsts.MostBytes)+"AADSTS50011"))
	var many strings.Builder
	for code := range 1000 {
		fmt.Fprintf(&many, "AADSTS%d ", 80000+code)
	}
	assert.Len(t, aadsts.Find(many.String()), 20)
}

func FuzzFind(f *testing.F) {
	for _, text := range []string{
		"AADSTS50011: The redirect URI 'x' specified", `{"error_codes":[1,50011]}`, "%2fAADSTS1%3a", "&#x41;", `\ud800`,
		"<", `claims="eyJ"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, finding := range aadsts.Find(text) {
			require.Equal(t, finding.Known, finding.Explanation.Meaning != "")
			require.NotContains(t, fixes(finding), "\x1b")
		}
	})
}
