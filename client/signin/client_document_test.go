package signin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/signin"
)

func TestCheckClientDocumentRefuses(t *testing.T) {
	t.Parallel()
	require.NoError(t, signin.CheckClientDocument("https://app.example.com/client.json"))
	for _, address := range []string{
		"",
		"app.example.com/c",
		"http://app.example.com/client.json",
		"https:///c",
		"https://app.example.com/%zz",
		"https://app.example.com",
		"https://app.example.com/",
		"https://u:secret@app.example.com/c",
		"https://secret@app.example.com/c",
		"https://app.example.com/c#secret",
		"https://app.example.com/c#x",
		"https://app.example.com/a/../c",
		"https://app.example.com/./c",
	} {
		err := signin.CheckClientDocument(address)
		require.ErrorContains(t, err, "client ID metadata document: want", address)
		assert.NotContains(t, err.Error(), "secret")
	}
}
