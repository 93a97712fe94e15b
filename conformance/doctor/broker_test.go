package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// deployed starts our server in broker mode, with a fake that knows its redirect URI, and a front
// that can change requests and answers.
func deployed(t *testing.T, front func(http.Handler) http.Handler) string {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(listening.Close)
	people := directory.Default()
	people.Tenants[0].Apps[0].Web = []string{listening.URL + "/auth/callback"}
	fake := fakeentra.NewServer(fakeentra.Config{Directory: people})
	t.Cleanup(fake.Close)
	made, err := server.New(t.Context(), server.Config{
		PublicURL: listening.URL,
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            directory.DefaultTenantID,
			ClientID:            directory.DefaultClientID,
			ClientSecret:        directory.DefaultClientSecret,
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
	})
	require.NoError(t, err)
	served := http.Handler(made)
	if front != nil {
		served = front(served)
	}
	handler.Store(&served)
	return listening.URL + "/mcp"
}

func TestWalkFindsNothingAtGoodServer(t *testing.T) {
	t.Parallel()
	report := walk(t, doctor.Config{URL: deployed(t, nil)})
	assert.Empty(t, codes(report))
	assert.Zero(t, report.ExitStatus())
	assert.NotEmpty(t, report.Settings)
	isAsked := func(finding doctor.Finding) bool { return finding.Code == "entra-accepts" }
	assert.True(t, slices.ContainsFunc(report.Steps, func(step doctor.Step) bool {
		return slices.ContainsFunc(step.Findings, isAsked)
	}))
}

// TestWalkFindsFaultsOfFronts changes one thing between the client and a good server.
func TestWalkFindsFaultsOfFronts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		front func(http.Handler) http.Handler
		want  string
	}{
		{"drops Authorization", withoutAuthorization, "authorization-dropped"},
		{"hides the challenge", withoutChallenge, "challenge-missing"},
		{"answers well-known", withPage, "resource-metadata-is-page"},
		{"wants small bodies", withSmallBodies, "body-limit"},
		{"wants small tokens", withSmallTokens, "header-limit"},
		{"compresses", withCompression, "answers-compressed"},
		{"caches", withCache, "answers-cached"},
		{"serves another path", withOpenPath, "neighbour-unprotected"},
		{"serves another endpoint", withOpenOrigin, "other-endpoint-open"},
		{"limits registrations", withLimit, "registration-limited"},
		{"hides the sign-in", withoutAuthorize, "authorization-not-found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Contains(t, codes(walk(t, doctor.Config{URL: deployed(t, test.front)})), test.want)
		})
	}
}

func front(serve func(next http.Handler, w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(next, w, r) })
	}
}

var withoutAuthorization = front(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
	r.Header.Del("Authorization")
	next.ServeHTTP(w, r)
})

// answerAt answers a path itself.
func answerAt(path string, status int, kind, body string) func(http.Handler) http.Handler {
	return front(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

const toolsResult = `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`

var (
	withPage         = answerAt("/.well-known/oauth-protected-resource/mcp", 200, "text/html", "<html></html>")
	withLimit        = answerAt("/register", 429, "text/plain", "slow down")
	withoutAuthorize = answerAt("/authorize", 404, "text/plain", "not here")
	withOpenPath     = answerAt("/mcp/", 200, "application/json", toolsResult)
	withOpenOrigin   = answerAt("/", 200, "application/json", toolsResult)
)

var withSmallBodies = front(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > 1<<10 {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	next.ServeHTTP(w, r)
})

var withSmallTokens = front(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if len(r.Header.Get("Authorization")) > 4<<10 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	next.ServeHTTP(w, r)
})

// changed is an answer whose header is changed before it is sent.
type changed struct {
	http.ResponseWriter
	change func(http.Header)
}

func (c changed) WriteHeader(status int) {
	c.change(c.Header())
	c.ResponseWriter.WriteHeader(status)
}

// changeAnswer changes the header of each answer of the endpoint.
func changeAnswer(change func(http.Header)) func(http.Handler) http.Handler {
	return front(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			w = changed{w, change}
		}
		next.ServeHTTP(w, r)
	})
}

var (
	withoutChallenge = changeAnswer(func(header http.Header) { header.Del("WWW-Authenticate") })
	withCompression  = changeAnswer(func(header http.Header) { header.Set("Content-Encoding", "gzip") })
	withCache        = changeAnswer(func(header http.Header) { header.Set("X-Cache", "HIT") })
)
