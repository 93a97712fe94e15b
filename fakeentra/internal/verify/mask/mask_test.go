package mask_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/internal/verify/mask"
	"mcpentra/fakeentra/internal/verify/recording"
)

var microsoft = mask.Masker{Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com"}

const (
	tenantID = "11111111-2222-4333-8444-555555555555"
	clientID = "66666666-7777-4888-9999-aaaaaaaaaaaa"
)

func jwt(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"typ":"JWT","kid":"the-kid-value"}`)) + "." + encode([]byte(claims)) + ".c2lnbmF0dXJl"
}

func post(form url.Values, status int, body string) mask.Raw {
	return mask.Raw{
		Method: http.MethodPost,
		URL: &url.URL{
			Scheme: "https",
			Host:   "login.microsoftonline.com",
			Path:   "/" + tenantID + "/oauth2/v2.0/token",
		},
		RequestHeader: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		RequestBody:   []byte(form.Encode()),
		Status:        status,
		Header:        http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body:          []byte(body),
	}
}

func text(t *testing.T, exchange recording.Exchange) string {
	t.Helper()
	encoded, err := json.Marshal(exchange)
	require.NoError(t, err)
	return string(encoded)
}

// secretForm has a secret, an ID or a name in each parameter.
func secretForm() url.Values {
	return url.Values{
		"client_id":     {clientID},
		"client_secret": {"hunter2secret"},
		"code":          {"the-code"},
		"state":         {"the-state"},
		"code_verifier": {"the-verifier"},
		"redirect_uri":  {"https://contoso-internal.example/cb"},
		"scope":         {"api://" + clientID + "/tool.secret openid"},
		"username":      {"pat@fabrikam.example"},
		"assertion":     {"the-assertion"},
	}
}

// Secrets, IDs, names and addresses are masked at every place where a program can have them.
func TestNothingOfATenantRemains(t *testing.T) {
	t.Parallel()
	success := post(secretForm(), 200, `{"token_type":"Bearer","scope":"api://`+clientID+
		`/tool.secret","access_token":"`+jwt(`{"aud":"https://contoso-internal.example",`+
		`"iss":"https://sts.windows.net/`+tenantID+`/","name":"Pat O'Neil",`+
		`"upn":"pat@fabrikam.example","ipaddr":"203.0.113.7","tid":"`+tenantID+
		`","iat":1700000000,"exp":1700003900,"scp":"tool.secret"}`)+`","refresh_token":"the-refresh-token",`+
		`"`+tenantID+`":"a member named by an ID"}`)
	success.Header.Set("Set-Cookie", "esctx=the-cookie")
	failure := post(secretForm(), 400, `{"error":"invalid_grant","error_description":"AADSTS50105: Your administrator `+
		`has configured the application Fabrikam tools ('`+clientID+`') to block users. The signed in user `+
		`'pat@fabrikam.example' is blocked. Request origin: 'https://contoso-internal.example'."}`)
	page := success
	page.Method = http.MethodGet
	page.Header = http.Header{
		"Content-Type": {"text/html"},
		"Location": {"https://contoso-internal.example/cb?code=the-code&state=the-state&session_state=" +
			tenantID + "#"},
	}
	page.Body = []byte(`<html>pat@fabrikam.example <meta name="PageID" content="ConvergedError"/><script>$Config=` +
		`{"strServiceExceptionMessage":"AADSTS700016: Application with identifier '` + clientID +
		`' was not found in the directory 'Fabrikam'.","urlLogin":"https://contoso-internal.example"};</script>`)
	graph := success
	graph.Method = http.MethodGet
	graph.URL = &url.URL{Scheme: "https", Host: "graph.microsoft.com", Path: "/v1.0/users/pat@fabrikam.example"}
	graph.RequestHeader = http.Header{"Authorization": {"Bearer " + jwt("{}")}}
	graph.RequestBody = nil
	graph.Body = []byte(`{"displayName":"Pat O'Neil","mail":"pat@fabrikam.example","id":"` + clientID +
		`","businessPhones":["the-code"],"value":[{"displayName":"Fabrikam"}]}`)
	for _, raw := range []mask.Raw{success, failure, page, graph} {
		masked := text(t, microsoft.Exchange(raw))
		for _, secret := range []string{
			tenantID, clientID, "hunter2secret", "the-code", "the-verifier", "Fabrikam", "pat@", "Pat O",
			"203.0.113.7", "the-kid-value", "the-refresh-token", "contoso-internal", "tool.secret", "the-state",
			"the-cookie", "the-assertion", "eyJ",
		} {
			assert.NotContains(t, masked, secret)
		}
	}
}

// The parts that facts are about remain: names of members, types, claims and lifetimes.
func TestShapeRemains(t *testing.T) {
	t.Parallel()
	raw := post(url.Values{"grant_type": {"client_credentials"}}, 200, `{"token_type":"Bearer","expires_in":3599,`+
		`"access_token":"`+jwt(`{"iat":1700000000,"exp":1700003900,"ver":"2.0","tid":"`+tenantID+`"}`)+`"}`)
	masked := microsoft.Exchange(raw)
	assert.Equal(t, []string{"token_type", "expires_in", "access_token"}, masked.Body.Names())
	assert.Equal(t, "3599", masked.Body.Member("expires_in").Text)
	claims := masked.Tokens["access_token"].Claims
	assert.Equal(t, []string{"iat", "exp", "ver", "tid"}, claims.Names())
	assert.Equal(t, "3900", claims.Member("exp").Text)
	assert.Equal(t, "[guid path]", claims.Member("tid").Text, "the place where the ID first occurs")
	assert.Equal(t, "{authority}/[guid path]/oauth2/v2.0/token", masked.URL)
}

// Any bytes can be masked, and a secret in the form never remains.
func FuzzExchange(f *testing.F) {
	f.Add("/common/oauth2/v2.0/token", "a=b", `{"error":"x"}`, "application/json", "https://x.example?code=1")
	f.Add("/%zz", "%zz", `<script>$Config={"a":1};</script>`, "text/html", "%zz")
	f.Fuzz(func(t *testing.T, path, form, body, kind, location string) {
		const secret = "Zq9hunter2Zq9secret"
		raw := post(nil, 200, body)
		raw.URL.Path = path
		raw.RequestBody = []byte(form + "&client_secret=" + secret)
		raw.Header = http.Header{"Content-Type": {kind}, "Location": {location}}
		masked := text(t, microsoft.Exchange(raw))
		if !strings.Contains(path+form+body+kind+location, "Zq9") {
			assert.NotContains(t, masked, secret)
		}
	})
}
