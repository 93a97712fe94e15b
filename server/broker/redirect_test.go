package broker_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostsAreRegisteredInTheirASCIIForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, uri := range []string{
		"https://%D1%81l%D0%B0ude.ai/cb", "https://сlаude.ai/cb", "https://claude%2eai/cb",
		"https://%63laude.ai/cb",
		"https://claude.ai./cb", "https://claude..ai/cb", "https://.claude.ai/cb",
		"https://claude.ai%00.evil.example/cb",
		"http://127.1/cb", "http://0x7f.1/cb", "http://2130706433/cb", "http://0177.0.0.1/cb",
		"http://127.0.0.01/cb", "http://0/cb",
		"https://127.1/cb", "https://0x7f000001/cb", "https://1.2.3/cb", "https://0.0.0.0/cb",
		"https://[::]/cb",
		"https://[::ffff:127.0.0.1]/cb", "https://[fe80::1%25eth0]/cb", "http://localhost./cb",
		"http://127.0.0.1./cb",
		"https://xn--a/cb", "https://xn--0.example/cb", "https://a.example:0/cb",
		"https://a.example:99999/cb", "https://a,b.example/cb",
		"https://claude.ai@evil.example/cb", "https://claude。ai/cb", "https://ｃlaude.ai/cb",
		"http://ⓛocalhost/cb",
		"https://" + strings.Repeat("a", 64) + ".example/cb",
	} {
		text, err := json.Marshal(map[string]any{"redirect_uris": []string{uri}})
		require.NoError(t, err)
		got, status := w.register(string(text))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
}

func TestUnusableRedirectURIsAreLeftOut(t *testing.T) {
	t.Parallel()
	log := &logText{}
	w := newWorld(t, options{log: log})
	var ports, many []string
	for i := range 12 {
		ports = append(ports, fmt.Sprintf("http://127.0.0.1:%d/cb", 9000+i))
	}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("https://app.example/%d", i))
	}
	long := "https://app.example/" + strings.Repeat("a", 2000)
	for name, test := range map[string]struct{ asked, kept []string }{
		"Cursor": {
			[]string{"cursor://anysphere.cursor-mcp/cb", "https://www.cursor.com/cb", "http://localhost:1/cb"},
			[]string{"https://www.cursor.com/cb", "http://localhost:1/cb"},
		},
		"out of band":   {[]string{"urn:ietf:wg:oauth:2.0:oob", loopback}, []string{loopback}},
		"a LAN address": {[]string{loopback, "http://192.168.1.5:3000/cb"}, []string{loopback}},
		"ports":         {ports, ports},
		"own origin":    {[]string{w.origin + "/authorize", loopback}, []string{loopback}},
		"a thousand":    {many, many[:20]},
		"long ones": {
			[]string{long + "1", long + "2", long + "3", loopback},
			[]string{long + "1", long + "2", loopback},
		},
		"twice": {[]string{loopback, loopback}, []string{loopback}},
		"odd hosts": {
			[]string{"https://u:hunter2@%D1%81laude.ai/?t=s3cret", "", "\x00", loopback},
			[]string{loopback},
		},
	} {
		text, err := json.Marshal(map[string]any{"redirect_uris": test.asked, "token_endpoint_auth_method": "none"})
		require.NoError(t, err)
		made, status := w.register(string(text))
		assert.Equal(t, 201, status, name)
		assert.Equal(t, test.kept, made.RedirectURIs, name)
		for _, uri := range test.asked {
			if !slices.Contains(test.kept, uri) && len(test.asked) < 100 && strings.HasPrefix(uri, "h") {
				assert.Equal(t, 400, w.browser().get(w.request(made, "redirect_uri", uri)).status, uri)
			}
		}
	}
	assert.Contains(t, log.String(), "cursor://anysphere.cursor-mcp")
	assert.Contains(t, log.String(), "192.168.1.5:3000")
	assert.Contains(t, log.String(), "https://%D1%81laude.ai", "as it was sent")
	assert.NotContains(t, log.String(), "hunter2")
	assert.NotContains(t, log.String(), "s3cret")
	assert.Less(t, len(log.String()), 10_000)

	_, status := w.register(`{"redirect_uris":["cursor://x/cb","urn:ietf:wg:oauth:2.0:oob"]}`)
	assert.Equal(t, 400, status)
}

func TestPeopleSeeTheHostThatTheBrowserVisits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for uri, shown := range map[string]string{
		"https://App.Example/cb":                  "<dd>app.example</dd>",
		"https://app.example:443/cb":              "<dd>app.example</dd>",
		"https://app.example:0443/cb":             "<dd>app.example</dd>",
		"https://app.example:8443/cb":             "<dd>app.example:8443</dd>",
		"https://r3---sn-x.my_app.example/cb":     "<dd>r3---sn-x.my_app.example</dd>",
		"https://xn--bcher-kva.example/cb":        "<dd>xn--bcher-kva.example</dd>",
		"https://192.0.2.1/cb":                    "<dd>192.0.2.1</dd>",
		"https://[2001:DB8:0:0::1]/cb":            "<dd>[2001:db8::1]</dd>",
		"http://[0:0:0:0:0:0:0:1]:5555/cb":        "<dd>[::1]:5555</dd>",
		"http://LOCALHOST:5555/cb":                "<dd>localhost:5555</dd>",
		"https://app.example/https://claude.ai/x": "<dd>app.example</dd>",
	} {
		page := w.browser().get(w.request(w.public(uri), "redirect_uri", uri))
		assert.Equal(t, 200, page.status, uri)
		assert.Contains(t, page.body, shown, uri)
		assert.NotContains(t, page.body, "<strong>Warning:", uri)
	}
}

func TestPeopleAreWarned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, test := range []struct{ name, uri, warning string }{
		{"Claude", "https://evil.example/cb", "the name of Claude"},
		{"CIaude", "https://evil.example/cb", "the name of Claude"},
		{"Сlaude (official)", "https://evil.example/cb", "the name of Claude"},
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
		{"Microsoft", "https://app.example/cb", "the name of Microsoft"},
	} {
		text, err := json.Marshal(map[string]any{
			"redirect_uris":              []string{test.uri},
			"token_endpoint_auth_method": "none",
			"client_name":                test.name,
		})
		require.NoError(t, err)
		c, status := w.register(string(text))
		require.Equal(t, 201, status, test.uri)
		page := w.browser().get(w.request(c, "redirect_uri", test.uri))
		require.Equal(t, 200, page.status)
		if test.warning == "" {
			assert.NotContains(t, page.body, "<strong>Warning:", "%+v", test)
		} else {
			assert.Contains(t, page.body, "<strong>Warning:", "%+v", test)
			assert.Contains(t, page.body, test.warning, "%+v", test)
		}
	}
}

func TestNamesDoNotBreakThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for name, shown := range map[string]string{
		"\u202eedualC\u202c":            "<bdi>edualC</bdi>",
		"a\u0000b\u001bc\r\nd":          "<bdi>abc d</bdi>",
		"x\u2066\u200f\u061cy\ufeff":    "<bdi>xy</bdi>",
		"Good” is verified. “Evil":      "<bdi>Good&#39; is verified. &#39;Evil</bdi>",
		"z\u0351\u0352\u0353\u0354az":   "<bdi>z\u0351\u0352az</bdi>",
		"\u3164\u115f\u2800\u200b":      "A program without a name",
		"\ufffc\U0001d159":              "A program without a name",
		"Good″ is verified. ʺEvil":      "<bdi>Good&#39; is verified. &#39;Evil</bdi>",
		"<script>alert(1)</script>":     "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
		"שלום":                          "<bdi>שלום</bdi>",
		strings.Repeat("W", 500):        "<bdi>" + strings.Repeat("W", 79) + "…</bdi>",
		"tag\U000e0041\U000e0042\ufe0f": "<bdi>tag</bdi>",
	} {
		text, err := json.Marshal(map[string]any{
			"redirect_uris":              []string{loopback},
			"token_endpoint_auth_method": "none",
			"client_name":                name,
		})
		require.NoError(t, err)
		c, status := w.register(string(text))
		require.Equal(t, 201, status)
		assert.Contains(t, w.browser().get(w.request(c)).body, shown, "%q", name)
	}
}

// ownSpellings are addresses that a browser takes for the broker's own origin.
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

func TestOwnOriginIsNoRedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, uri := range ownSpellings(w.origin) {
		text, err := json.Marshal(map[string]any{"redirect_uris": []string{uri}})
		require.NoError(t, err)
		got, status := w.register(string(text))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
	c := w.public("http://127.0.0.1/authorize")
	u, err := url.Parse(w.origin)
	require.NoError(t, err)
	a := w.browser().get(w.request(c, "redirect_uri", "http://127.0.0.1:"+u.Port()+"/authorize"))
	assert.Equal(t, 400, a.status, "the port of a loopback redirect is free, except for the broker's own")

	secure := newWorld(t, options{tls: true})
	other := "https://LOCALHOST" + strings.TrimPrefix(secure.origin, "https://127.0.0.1")
	for _, uri := range []string{secure.origin + "/authorize?client_id=x", other} {
		text, err := json.Marshal(map[string]any{"redirect_uris": []string{uri}})
		require.NoError(t, err)
		_, status := secure.register(string(text))
		assert.Equal(t, 400, status, uri)
	}
}
