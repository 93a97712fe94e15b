package console_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

func TestPrintableEscapesControls(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, Grüße, 你好, 🙂\n\tx": "plain, Grüße, 你好, 🙂\n\tx",
		"\x1b[31m":                 `\u001b[31m`,
		"a\rb\bc\x00":              `a\u000db\u0008c\u0000`,
		"\u009b2J":                 `\u009b2J`,
		"\u202egpj.exe":            `\u202egpj.exe`,
		"\u200b\ufeff\u2028":       `\u200b\ufeff\u2028`,
		"\xff":                     "\ufffd",
	} {
		got := console.Printable(text)
		assertTame(t, got)
		if text != "\xff" {
			assert.Equal(t, want, got)
		}
	}
}

func TestOutputOfServerIsHarmless(t *testing.T) {
	t.Parallel()
	session := connected(t, "")
	assertTame(t, session.Name)
	var out bytes.Buffer
	require.NoError(t, console.List(t.Context(), session, &out))
	require.NoError(t, console.Call(t.Context(), session, "evil", "", &out))
	err := console.Call(t.Context(), session, "fail", "", &out)
	var failed *console.ErrTool
	require.ErrorAs(t, err, &failed)
	assert.Contains(t, failed.Text, "it is broken")
	assertTame(t, failed.Text)
	assertTame(t, out.String())
	assert.Contains(t, out.String(), `nice\u001b[2J\u0007 \u202etxt.exe`)
	assert.Contains(t, out.String(), "[image, ")

	var text bytes.Buffer
	steps := console.NewSteps(&text, false)
	for _, event := range []client.Event{
		client.Challenged{Method: "GET", URL: evil, Challenge: evil},
		client.ResourceFound{Location: evil, Resource: evil, AuthorizationServers: []string{evil}},
		client.IssuerFound{Location: evil, Issuer: evil, AuthorizationEndpoint: evil, TokenEndpoint: evil},
		client.Registered{ClientID: evil, AuthMethod: evil},
		client.PageReady{URL: evil},
		client.Answered{Issuer: evil},
		client.Issued{Scopes: []string{evil}},
	} {
		steps.Trace(event)
	}
	steps.Connected(session)
	assertTame(t, text.String())
}
