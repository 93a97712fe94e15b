package issuers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers"
	"mcpentra/testdata/interop/foreign"
)

// A foreignIssuer is an authorization server of another project.
type foreignIssuer struct {
	name   string
	line   []string // command that starts it
	fields map[string]string
	target issuers.Target // without what the test adds
}

// registered is the redirect URI of the clients that are registered beforehand.
const registered = "http://127.0.0.1:33418/callback"

// withResources is the part of the targets that issue tokens for a resource.
var withResources = issuers.Target{
	Resource:      "https://mcp.example/mcp",
	OtherResource: "https://other.example/mcp",
	Scopes:        []string{"mcp:tools", "mcp:admin"},
}

var foreignIssuers = []foreignIssuer{
	{
		name:   "oidc-provider",
		line:   []string{"node", "oidc-provider.mjs"},
		fields: map[string]string{"login": "ada", "password": "any"},
		target: withResources,
	},
	{
		name:   "typescript-sdk-issuer",
		line:   []string{"node", "sdk-issuer.mjs"},
		target: withResources,
	},
	{
		name:   "workers-oauth-provider",
		line:   []string{"node", "workers-oauth-provider.mjs"},
		target: withResources,
	},
	{
		name:   "fosite",
		line:   []string{"{goissuers}/fosite"},
		fields: map[string]string{"username": "ada", "password": "any"},
		target: issuers.Target{Scopes: []string{"mcp:tools", "mcp:admin"}},
	},
	{
		name:   "zitadel-oidc",
		line:   []string{"{goissuers}/zitadel"},
		fields: map[string]string{"username": "test-user@127.0.0.1", "password": "verysecure"},
		target: issuers.Target{
			Scopes: []string{"openid", "offline_access"},
			Clients: []issuers.Client{
				{ID: "native", RedirectURI: registered},
				{ID: "second", RedirectURI: registered},
				{ID: "web", Secret: "secret-of-the-web-client", RedirectURI: registered},
			},
		},
	},
}

// TestInteropForeignIssuers compares the verdicts on authorization servers of other projects with
// snapshots. Each failure has a line in proofs.tsv with the sentence that proves it.
func TestInteropForeignIssuers(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	goIssuers := foreign.Build(t, "goissuers")
	for _, server := range foreignIssuers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			target := server.target
			target.FirstAnswer = 30 * time.Second // for busy machines
			target.Documents = issuers.NewDocuments()
			documents := serveDocuments(t, target.Documents)
			line := append([]string{strings.Replace(server.line[0], "{goissuers}", goIssuers, 1)}, server.line[1:]...)
			target.URL = foreign.Start(t, line, "DOCUMENTS="+documents)
			target.Person = issuers.ScriptedPerson(server.fields)
			report, err := issuers.Run(t.Context(), target, check.Selection{Parallel: 4})
			require.NoError(t, err)
			foreign.Compare(t, server.name, report)
		})
	}
}

// serveDocuments serves the documents of clients as /HOST/PATH, and returns its address.
func serveDocuments(t *testing.T, documents *issuers.Documents) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.Host = host
		r.URL.Path = "/" + path
		documents.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
