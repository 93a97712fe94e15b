package broker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

func TestRegistrationRefusesHosts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, uri := range []string{
		"https://%D1%81l%D0%B0ude.ai/cb", "https://сlаude.ai/cb", "https://claude%2eai/cb", "https://%63laude.ai/cb",
		"https://claude.ai./cb", "https://claude..ai/cb", "https://.claude.ai/cb",
		"https://claude.ai%00.evil.example/cb",
		"http://127.1/cb", "http://0x7f.1/cb", "http://2130706433/cb", "http://0177.0.0.1/cb", "http://127.0.0.01/cb",
		"http://0/cb", "https://127.1/cb", "https://0x7f000001/cb", "https://1.2.3/cb", "https://0.0.0.0/cb",
		"https://[::]/cb", "https://[::ffff:127.0.0.1]/cb", "https://[fe80::1%25eth0]/cb",
		"http://localhost./cb", "http://127.0.0.1./cb",
		"https://xn--a/cb", "https://xn--0.example/cb", "https://a,b.example/cb",
		"https://a.example:0/cb", "https://a.example:99999/cb",
		"https://claude.ai@evil.example/cb", "https://claude。ai/cb", "https://ｃlaude.ai/cb",
		"http://ⓛocalhost/cb",
		"https://" + strings.Repeat("a", 64) + ".example/cb",
	} {
		got, status := e.register(metadataOf("", uri))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
}

func TestUnusableRedirectURIsAreLeftOut(t *testing.T) {
	t.Parallel()
	log := &logText{}
	e := newEnv(t, options{log: log})
	var ports, many []string
	for i := range 12 {
		ports = append(ports, fmt.Sprintf("http://127.0.0.1:%d/cb", 9000+i))
	}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("https://app.example/%d", i))
	}
	long := "https://app.example/" + strings.Repeat("a", 2000)
	for _, test := range []struct {
		name  string
		asked []string
		kept  []string
	}{
		{
			"Cursor",
			[]string{"cursor://anysphere.cursor-mcp/cb", "https://www.cursor.com/cb", "http://localhost:1/cb"},
			[]string{"https://www.cursor.com/cb", "http://localhost:1/cb"},
		},
		{"out of band", []string{"urn:ietf:wg:oauth:2.0:oob", loopback}, []string{loopback}},
		{"a LAN address", []string{loopback, "http://192.168.1.5:3000/cb"}, []string{loopback}},
		{"ports", ports, ports},
		{"own origin", []string{e.origin + "/authorize", loopback}, []string{loopback}},
		{"a thousand", many, many[:20]},
		{
			"long ones",
			[]string{long + "1", long + "2", long + "3", loopback},
			[]string{long + "1", long + "2", loopback},
		},
		{"twice", []string{loopback, loopback}, []string{loopback}},
		{
			"odd hosts",
			[]string{"https://u:hunter2@%D1%81laude.ai/?t=s3cret", "", "\x00", loopback},
			[]string{loopback},
		},
	} {
		made := e.named("", test.asked...)
		assert.Equal(t, test.kept, made.RedirectURIs, test.name)
		for _, uri := range test.asked {
			if !slices.Contains(test.kept, uri) && len(test.asked) < 100 && strings.HasPrefix(uri, "h") {
				assert.Equal(t, 400, e.browser().get(e.request(made, "redirect_uri", uri)).status, uri)
			}
		}
	}
	assert.Contains(t, log.String(), "cursor://anysphere.cursor-mcp")
	assert.Contains(t, log.String(), "192.168.1.5:3000")
	assert.Contains(t, log.String(), "https://%D1%81laude.ai", "as the client sent it")
	assert.NotContains(t, log.String(), "hunter2")
	assert.NotContains(t, log.String(), "s3cret")
	assert.Less(t, len(log.String()), 10_000)

	_, status := e.register(`{"redirect_uris":["cursor://x/cb","urn:ietf:wg:oauth:2.0:oob"]}`)
	assert.Equal(t, 400, status)
}

func TestConsentPageShowsBrowserHost(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct{ uri, shown string }{
		{"https://App.Example/cb", "app.example"},
		{"https://app.example:443/cb", "app.example"},
		{"https://app.example:0443/cb", "app.example"},
		{"https://app.example:8443/cb", "app.example:8443"},
		{"https://r3---sn-x.my_app.example/cb", "r3---sn-x.my_app.example"},
		{"https://xn--bcher-kva.example/cb", "xn--bcher-kva.example"},
		{"https://192.0.2.1/cb", "192.0.2.1"},
		{"https://[2001:DB8:0:0::1]/cb", "[2001:db8::1]"},
		{"http://[0:0:0:0:0:0:0:1]:5555/cb", "[::1]:5555"},
		{"http://LOCALHOST:5555/cb", "localhost:5555"},
		{"https://app.example/https://claude.ai/x", "app.example"},
	} {
		page := e.browser().get(e.request(e.public(test.uri), "redirect_uri", test.uri))
		assert.Equal(t, 200, page.status, test.uri)
		assert.Contains(t, page.body, "<dd>"+test.shown+"</dd>", test.uri)
		assert.NotContains(t, page.body, "<strong>Warning:", test.uri)
	}
}

func TestConsentPageWarns(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct{ name, uri, warning string }{
		{"Claude", "https://evil.example/cb", "the name is Claude"},
		{"CIaude", "https://evil.example/cb", "the name is Claude"},
		{"Сlaude (official)", "https://evil.example/cb", "the name is Claude"},
		{"Claude", "https://claude.ai/api/mcp/auth_callback", ""},
		{"Claude Code (mcpentra)", "http://localhost:5555/cb", ""},
		{"Visual Studio Code", "https://vscode.dev/redirect", ""},
		{"ChatGPT", "http://127.0.0.1:5555/cb", "a program on this computer"},
		{"notes", "https://xn--lude-53d4h.ai/cb", "mixes letters of several alphabets. It looks like claude.ai"},
		{"notes", "https://xn--lude-73d6b.ai/cb", "mixes letters of several alphabets"},
		{"notes", "https://xn--80ak6aa92e.com/cb", "It looks like apple.com"},
		{"notes", "https://xn--pypal-4ve.com/cb", "It looks like paypal.com"},
		{"notes", "https://ciaude.ai/cb", "It looks like claude.ai"},
		{"notes", "https://app.example/cb", ""},
		{"notes", "https://claude.ai.evil.example/cb", "It looks like claude.ai"},
		{"Pаypal", "https://app.example/cb", "this name mixes letters of several alphabets"},
		{"Microsoft", "https://app.example/cb", "the name is Microsoft"},
	} {
		page := e.browser().get(e.request(e.named(test.name, test.uri), "redirect_uri", test.uri))
		require.Equal(t, 200, page.status)
		assert.Equal(t, test.warning != "", strings.Contains(page.body, "<strong>Warning:"), "%+v", test)
		assert.Contains(t, page.body, test.warning, "%+v", test)
	}
}

func TestNamesDoNotBreakPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, test := range []struct{ name, shown string }{
		{"\u202eedualC\u202c", "<bdi>edualC</bdi>"},
		{"a\u0000b\u001bc\r\nd", "<bdi>abc d</bdi>"},
		{"x\u2066\u200f\u061cy\ufeff", "<bdi>xy</bdi>"},
		{"Good” is verified. “Evil", "<bdi>Good&#39; is verified. &#39;Evil</bdi>"},
		{"z\u0351\u0352\u0353\u0354az", "<bdi>z\u0351\u0352az</bdi>"},
		{"\u3164\u115f\u2800\u200b", "A program without a name"},
		{"\ufffc\U0001d159", "A program without a name"},
		{"Good″ is verified. ʺEvil", "<bdi>Good&#39; is verified. &#39;Evil</bdi>"},
		{"<script>alert(1)</script>", "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"},
		{"שלום", "<bdi>שלום</bdi>"},
		{strings.Repeat("W", 500), "<bdi>" + strings.Repeat("W", 79) + "…</bdi>"},
		{"tag\U000e0041\U000e0042\ufe0f", "<bdi>tag</bdi>"},
	} {
		c := e.named(test.name, loopback)
		assert.Contains(t, e.browser().get(e.request(c)).body, test.shown, "%q", test.name)
	}
}

// ownSpellings returns addresses that lead a browser to the broker's own origin.
func ownSpellings(origin string) []string {
	u, _ := url.Parse(origin)
	port := u.Port()
	return []string{
		origin + "/authorize", strings.ToUpper(origin) + "/",
		"http://127.0.0.1:" + port + "/", "http://[::1]:" + port + "/",
		"http://[0::1]:" + port + "/x", "http://127.0.0.2:" + port + "/",
		"http://localhost:0" + port + "/", "https://localhost:" + port + "/",
	}
}

func TestOwnOriginIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, uri := range ownSpellings(e.origin) {
		got, status := e.register(metadataOf("", uri))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
	c := e.public("http://127.0.0.1/authorize")
	u, err := url.Parse(e.origin)
	require.NoError(t, err)
	a := e.browser().get(e.request(c, "redirect_uri", "http://127.0.0.1:"+u.Port()+"/authorize"))
	assert.Equal(t, 400, a.status, "the port of a loopback redirect is free, except for the broker's own")

	secure := newEnv(t, options{tls: true})
	other := "https://LOCALHOST" + strings.TrimPrefix(secure.origin, "https://127.0.0.1")
	for _, uri := range []string{secure.origin + "/authorize?client_id=x", other} {
		_, status := secure.register(metadataOf("", uri))
		assert.Equal(t, 400, status, uri)
	}
}

// TestRedirectRulesHoldForEveryClient writes redirect URIs to the broker itself, and hosts in other
// than IDNA ASCII form, into the operator's file and into a client's document.
func TestRedirectRulesHoldForEveryClient(t *testing.T) {
	t.Parallel()
	e, site, client := newDocumentEnv(t, options{})
	for _, test := range []struct{ uri, reason string }{
		{e.origin + "/authorize", "at this server itself"},
		{"https://claude%2eai/cb", "IDNA ASCII form"},
		{"https://сlaude.ai/cb", "IDNA ASCII form"},
		{"http://app.example/cb", "neither https nor http on a loopback address"},
	} {
		entry := `{"client_id":"r","redirect_uris":["` + test.uri + `"],"token_endpoint_auth_method":"none"}`
		file := newClientsFile(t, entry)
		_, err := e.tryStart(options{clients: broker.ClientPolicy{File: file.name}})
		assert.ErrorContains(t, err, test.reason, test.uri)

		site.set("redirect_uris", []string{test.uri, loopback})
		e.later(2 * time.Minute) // the document is fetched again
		for _, change := range [][]string{nil, {"prompt", "none"}, {"response_type", "token"}} {
			page := e.browser().get(e.request(client, append(change, "redirect_uri", test.uri)...))
			assert.Equal(t, http.StatusBadRequest, page.status, test.uri)
			assert.Empty(t, page.header.Get("Location"), test.uri)
			assert.NotContains(t, page.body, "href=", test.uri)
		}
		assert.Equal(t, http.StatusOK, e.browser().get(e.request(client)).status, "the other redirect URI")
	}
}
