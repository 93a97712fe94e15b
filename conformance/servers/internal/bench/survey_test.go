package bench_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// survey looks at a target, and wants it usable.
func survey(t *testing.T, target *bench.Target) *bench.Survey {
	t.Helper()
	found, err := target.Survey(t.Context())
	require.NoError(t, err)
	return found
}

// resultOf binds a check with an ID to a target, and runs it.
func resultOf(t *testing.T, target bench.Target, id string, needs ...bench.TokenKind) check.Result {
	t.Helper()
	current := must(returns(nil))
	current.ID = id
	current.Tokens = needs
	return bench.Run(t.Context(), current, target)[0]
}

// jwt returns a token with claims, and with a signature that no server checks.
func jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(text) + ".c2lnbmF0dXJl"
}

// supplying returns the supplier of a token.
func supplying(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// accepting returns a server of all revisions with metadata. It accepts some tokens, and answers
// others with a status.
func accepting(status int, tokens ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origin := "http://" + r.Host
		switch r.URL.Path {
		case "/.well-known/oauth-protected-resource/mcp":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"resource":              origin + "/mcp",
				"authorization_servers": []string{"https://issuer.example"},
			})
			return
		case "/mcp":
		default:
			http.NotFound(w, r)
			return
		}
		credentials := r.Header.Get("Authorization")
		for _, token := range tokens {
			if credentials == "Bearer "+token {
				speak(w, r, check.Revisions())
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="mcp"`)
		if credentials == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(status)
	}
}

func TestSurveyFindsRevisions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spoken []check.Revision
	}{
		{"one old revision", []check.Revision{check.R20250618}},
		{"the oldest", []check.Revision{check.R20250326}},
		{"those with a handshake", check.Revisions()[:3]},
		{"the newest only", []check.Revision{check.R20260728}},
		{"all", check.Revisions()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, speaking(test.spoken...))
			assert.Equal(t, test.spoken, survey(t, &target).Spoken)
			accepted := must(func(ctx context.Context, p *bench.Probe) error {
				_, err := p.Trial(ctx)
				return err
			})
			accepted.EachRevision = true
			var tried []check.Revision
			for _, result := range bench.Run(t.Context(), accepted, target) {
				assert.Equal(t, check.Pass, result.Verdict, "%s: %v", result.Revision, result.Err)
				tried = append(tried, result.Revision)
			}
			assert.Equal(t, test.spoken, tried)
		})
	}
}

func TestSurveyWithoutTokenTriesOneRevision(t *testing.T) {
	t.Parallel()
	// Before it asks for a token, the server refuses revisions that it does not speak.
	target := start(t, func(w http.ResponseWriter, r *http.Request) {
		if version := r.Header.Get("Mcp-Protocol-Version"); version != "" && version != "2025-06-18" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	})
	target.Tokens = nil
	found := survey(t, &target)
	assert.Empty(t, found.Spoken)
	require.Len(t, found.Remarks, 1)
	assert.Contains(t, found.Remarks[0], "tried once, as of MCP 2025-06-18")
	current := must(returns(nil))
	current.EachRevision = true
	results := bench.Run(t.Context(), current, target)
	require.Len(t, results, 1)
	assert.Equal(t, check.R20250618, results[0].Revision)
	current.Revisions = []check.Revision{check.R20260728}
	result := bench.Run(t.Context(), current, target)[0]
	assert.Equal(t, check.Skip, result.Verdict)
	assert.ErrorContains(t, result.Err, "without a working token the server does not say that it speaks it")
}

func TestSurveyWantsClaimedRevisions(t *testing.T) {
	t.Parallel()
	target := start(t, speaking(check.R20250618))
	target.Revisions = []check.Revision{check.R20251125}
	_, err := target.Survey(t.Context())
	assert.EqualError(t, err, "the server does not speak MCP 2025-11-25; it says that it speaks 2025-06-18")
}

// TestSurveyDoubtsRevisions surveys a server that answers the first message of one revision late,
// or with an error of its own.
func TestSurveyDoubtsRevisions(t *testing.T) {
	t.Parallel()
	const late = check.R20250326
	for _, test := range []struct {
		name        string
		pause       time.Duration
		status      int
		firstAnswer time.Duration
		doubt       string // or "" if the server is found to speak the revision
	}{
		{"slow", 8 * time.Second, 0, 0, "no answer to the first message of MCP 2025-03-26 within 4s"},
		{"slow, with more time", 8 * time.Second, 0, time.Minute, ""},
		{"overloaded", 0, http.StatusServiceUnavailable, 0, "the first message of MCP 2025-03-26 with status 503"},
		{"limited", 0, http.StatusTooManyRequests, 0, "the first message of MCP 2025-03-26 with status 429"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				spoken := speaking(check.Revisions()...)
				isLate := func(r *http.Request, body []byte) bool {
					return r.Header.Get("Authorization") != "" && bytes.Contains(body, []byte(late))
				}
				server := delayed(test.pause, isLate, func(w http.ResponseWriter, r *http.Request, isLate bool) {
					if isLate && test.status != 0 {
						w.WriteHeader(test.status)
						return
					}
					spoken(w, r)
				})
				target := bench.Target{
					URL:         "http://server.example/mcp",
					HTTPClient:  &http.Client{Transport: server},
					Tokens:      tokens(bench.Good),
					FirstAnswer: test.firstAnswer,
				}
				claiming := target
				claiming.Revisions = check.Revisions()
				found := survey(t, &target)
				_, err := claiming.Survey(t.Context())
				if test.doubt == "" {
					assert.Equal(t, check.Revisions(), found.Spoken)
					assert.Empty(t, found.Remarks)
					assert.NoError(t, err)
					return
				}
				assert.NotContains(t, found.Spoken, late)
				require.Len(t, found.Remarks, 1)
				assert.Contains(t, found.Remarks[0], "the rules of MCP 2025-03-26 are not tried: ")
				assert.Contains(t, found.Remarks[0], test.doubt)
				require.ErrorContains(t, err, test.doubt)
				assert.NotContains(t, err.Error(), "does not speak")
			})
		})
	}
}

// TestSurveyDoubtsMetadata surveys a server that asks for a key of its own, and that says late that
// it has no metadata.
func TestSurveyDoubtsMetadata(t *testing.T) {
	t.Parallel()
	isMetadata := func(r *http.Request, _ []byte) bool {
		return r.URL.Path == "/.well-known/oauth-protected-resource/mcp"
	}
	for firstAnswer, want := range map[time.Duration]bench.Authorization{
		0:           bench.AsksForTokens,
		time.Minute: bench.AsksForKey,
	} {
		synctest.Test(t, func(t *testing.T) {
			server := delayed(8*time.Second, isMetadata, func(w http.ResponseWriter, r *http.Request, _ bool) {
				if r.URL.Path != "/mcp" {
					http.NotFound(w, r)
					return
				}
				w.WriteHeader(http.StatusUnauthorized)
			})
			target := bench.Target{
				URL:         "http://server.example/mcp",
				HTTPClient:  &http.Client{Transport: server},
				FirstAnswer: firstAnswer,
			}
			assert.Equal(t, want, survey(t, &target).Asks)
		})
	}
}

// delayed returns a server that pauses before some answers.
func delayed(
	pause time.Duration, isLate func(r *http.Request, body []byte) bool,
	serve func(w http.ResponseWriter, r *http.Request, isLate bool),
) transport {
	return func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		late := isLate(r, body)
		if late {
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(pause):
			}
		}
		answer := httptest.NewRecorder()
		serve(answer, r, late)
		return answer.Result(), nil
	}
}

func TestSurveyFindsAuthorization(t *testing.T) {
	t.Parallel()
	open := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mcp" {
			http.NotFound(w, r)
			return
		}
		speak(w, r, []check.Revision{check.R20250618})
	}
	withKey := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != "key" {
			http.Error(w, "no API key", http.StatusForbidden)
			return
		}
		open(w, r)
	}
	withBearerKey := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret-token-good" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		open(w, r)
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		hasKey  bool // as good token
		want    bench.Authorization
		finder  string // of the checks of metadata
	}{
		{"nothing", open, false, bench.AsksForNothing, "server/authorization/required"},
		{"nothing, although there is a token", open, true, bench.AsksForNothing, "server/challenge/without-token"},
		{"a key in a header of its own", withKey, false, bench.AsksForKey, "server/authorization/required"},
		{"a key as token", withBearerKey, true, bench.AsksForKey, "server/authorization/required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, test.handler)
			if !test.hasKey {
				target.Tokens = nil
			}
			assert.Equal(t, test.want, survey(t, &target).Asks)
			for _, id := range []string{
				"server/challenge/bearer",
				"server/metadata/found",
				"server/metadata/resource",
				"authorization-server/metadata/found",
				"authorization-server/registration/own-origin",
			} {
				result := resultOf(t, target, id)
				var skipped *check.Skipped
				require.ErrorAs(t, result.Err, &skipped, id)
				assert.Equal(t, test.finder, skipped.Of, id)
			}
			for _, id := range []string{"server/host/foreign", "server/limits/body"} {
				assert.Equal(t, check.Pass, resultOf(t, target, id).Verdict, id)
			}
		})
	}
}

func TestSurveyFindsTroubles(t *testing.T) {
	t.Parallel()
	now := time.Now()
	claims := func(changes map[string]any) map[string]any {
		all := map[string]any{
			"iss": "https://issuer.example",
			"sub": "ada",
			"exp": now.Add(time.Hour).Unix(),
			"iat": now.Unix(),
		}
		for name, value := range changes {
			all[name] = value
		}
		return all
	}
	good := jwt(t, claims(nil))
	for _, test := range []struct {
		name   string
		tokens map[bench.TokenKind]string
		kind   bench.TokenKind
		want   string
	}{
		{
			"no token",
			map[bench.TokenKind]string{bench.Good: "garbage-garbage"},
			bench.Good,
			"the server answers 401",
		},
		{
			"an expired good token",
			map[bench.TokenKind]string{bench.Good: jwt(t, claims(map[string]any{"exp": now.Add(-time.Hour).Unix()}))},
			bench.Good,
			"the server answers 401; it expired 1h0m0s ago, at ",
		},
		{
			"a token of another issuer",
			map[bench.TokenKind]string{bench.Good: jwt(t, claims(map[string]any{"iss": "https://other.example"}))},
			bench.Good,
			"its issuer is https://other.example, and the server names https://issuer.example",
		},
		{
			"a token for another server",
			map[bench.TokenKind]string{bench.Good: jwt(t, claims(map[string]any{"aud": "https://other.example/mcp"}))},
			bench.Good,
			"its audience is https://other.example/mcp, and the server's resource is http",
		},
		{
			"an expired token that has not expired",
			map[bench.TokenKind]string{bench.Good: good, bench.Expired: jwt(t, claims(map[string]any{"jti": "2"}))},
			bench.Expired,
			"the given one has not expired: it expires at ",
		},
		{
			"the good token as another user's",
			map[bench.TokenKind]string{bench.Good: good, bench.OtherUser: good},
			bench.OtherUser,
			"the given one is the good token",
		},
		{
			"another token of the same user",
			map[bench.TokenKind]string{bench.Good: good, bench.OtherUser: jwt(t, claims(map[string]any{"jti": "2"}))},
			bench.OtherUser,
			"the given one belongs to the same user (iss https://issuer.example, sub ada)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, accepting(http.StatusUnauthorized, good))
			for kind, token := range test.tokens {
				target.Tokens[kind] = supplying(token)
			}
			found := survey(t, &target)
			require.Len(t, found.Troubles, 1)
			assert.Equal(t, test.kind, found.Troubles[0].Token)
			assert.Contains(t, found.Troubles[0].Reason, test.want)
			assert.NotContains(t, found.Troubles[0].String(), "\n")
			result := resultOf(t, target, "server/token/expired", bench.Good, test.kind)
			assert.Equal(t, check.Skip, result.Verdict, "%v", result.Err)
			if test.kind == bench.Good {
				result = resultOf(t, target, "server/token/accepted", bench.Good)
				assert.Equal(t, check.Error, result.Verdict, "the token may be at fault")
			}
		})
	}
}

func TestSurveyFindsNoTrouble(t *testing.T) {
	t.Parallel()
	exp := time.Now().Add(time.Hour).Unix()
	ada := jwt(t, map[string]any{"iss": "https://issuer.example", "sub": "ada", "exp": exp})
	bob := jwt(t, map[string]any{"iss": "https://issuer.example", "sub": "bob", "exp": exp})
	expired := jwt(t, map[string]any{"iss": "https://issuer.example", "sub": "ada", "exp": exp - 7200})
	target := start(t, accepting(http.StatusUnauthorized, ada, bob))
	target.Tokens = map[bench.TokenKind]func(context.Context) (string, error){
		bench.Good:      supplying(ada),
		bench.OtherUser: supplying(bob),
		bench.Expired:   supplying(expired),
	}
	found := survey(t, &target)
	assert.Empty(t, found.Troubles)
	assert.Empty(t, found.Remarks)
	assert.Equal(t, bench.AsksForTokens, found.Asks)
}

func TestServerThatRefusesItsOwnTokenFails(t *testing.T) {
	t.Parallel()
	target := start(t, accepting(http.StatusUnauthorized))
	target.Tokens[bench.Good] = supplying(jwt(t, map[string]any{
		"iss": "https://issuer.example",
		"aud": target.URL,
		"exp": time.Now().Add(time.Hour).Unix(),
	}))
	require.Len(t, survey(t, &target).Troubles, 1)
	current := atLevel(check.Must)
	current.ID = "server/token/accepted"
	current.Tokens = []bench.TokenKind{bench.Good}
	assert.Equal(t, check.Fail, bench.Run(t.Context(), current, target)[0].Verdict)
}

func TestCauseIsReportedOnce(t *testing.T) {
	t.Parallel()
	target := start(t, accepting(http.StatusInternalServerError, "secret-token-good"))
	survey(t, &target)
	try := func(id, bad string, judge func(p *bench.Probe, status int) error) check.Result {
		current := must(func(ctx context.Context, p *bench.Probe) error {
			answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(bad)})
			require.NoError(t, err)
			return judge(p, answer.Status)
		})
		current.ID = id
		return bench.Run(t.Context(), current, target)[0]
	}
	want401 := func(p *bench.Probe, status int) error {
		if status == http.StatusUnauthorized {
			return nil
		}
		return p.Mismatch("status 401", fmt.Sprintf("status %d", status))
	}
	assert.Equal(t, check.Fail, try("server/token/garbage", "garbage-garbage", want401).Verdict)
	for _, id := range []string{"server/token/expired", "server/credentials/lists", "server/refusal/no-data"} {
		result := try(id, "another-garbage", want401)
		assert.Equal(t, check.Skip, result.Verdict, id)
		assert.EqualError(t, result.Err, "follows from server/token/garbage: the server answers 500 to bad tokens")
	}
	insecure := func(p *bench.Probe, _ int) error { return p.Insecure("status 401", "status 500, and the tool ran") }
	assert.Equal(t, check.Fail, try("server/token/expired", "another-garbage", insecure).Verdict, "an effect counts")
	assert.Equal(t, check.Fail, try("server/limits/head", "another-garbage", want401).Verdict, "another matter")
}

func TestMissingDocumentIsReportedOnce(t *testing.T) {
	t.Parallel()
	target := start(t, accepting(http.StatusUnauthorized, "secret-token-good"))
	for id, finder := range map[string]string{
		"server/metadata/resource":                      "",
		"authorization-server/metadata/found":           "",
		"authorization-server/metadata/issuer":          "authorization-server/metadata/found",
		"authorization-server/registration/media-type":  "authorization-server/metadata/found",
		"authorization-server/redirect/untrusted":       "authorization-server/metadata/found",
		"server/challenge/no-error-without-credentials": "",
	} {
		result := resultOf(t, target, id)
		if finder == "" {
			assert.Equal(t, check.Pass, result.Verdict, "%s: %v", id, result.Err)
			continue
		}
		assert.Equal(t, check.Skip, result.Verdict, id)
		require.Error(t, result.Err, id)
		assert.True(t, strings.HasPrefix(result.Err.Error(), "follows from "+finder), "%s: %v", id, result.Err)
	}
}
