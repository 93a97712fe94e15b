package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"mcpentra/conformance/loopback/loopbacktest"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
)

// TestMain runs the tests, the server that a rig starts, or a browser that follows redirects.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "browse" {
		follow(os.Args[2])
		return
	}
	if len(os.Args) == 5 && os.Args[1] == "serve" {
		serveBehind(os.Args[2], os.Args[3], os.Args[4])
		return
	}
	os.Exit(m.Run())
}

// serveBehind is a server that trusts an issuer. It fetches the issuer's keys for each request.
func serveBehind(issuer, audience, port string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.URL.Path != "/mcp":
			http.NotFound(w, r)
		case !isBearer || !verifies(raw, issuer, audience):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25",` +
				`"capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`))
		}
	})
	_ = http.ListenAndServe("127.0.0.1:"+port, handler)
}

func verifies(raw, issuer, audience string) bool {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256})
	if err != nil {
		return false
	}
	response, err := http.Get(issuer + "/keys")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&keys); err != nil {
		return false
	}
	var claims jwt.Claims
	if err := token.Claims(keys, &claims); err != nil {
		return false
	}
	want := jwt.Expected{Issuer: issuer, AnyAudience: []string{audience}, Time: time.Now()}
	return claims.Validate(want) == nil
}

// TestRigStartsServers runs checks that need the issuer's key, and a check that needs a server and
// an issuer of its own.
func TestRigStartsServers(t *testing.T) {
	t.Parallel()
	text := rigRun(t, "--only", "server/token/foreign-issuer,server/token/expiry-form,server/keys/rotation")
	assert.Contains(t, text, "pass  server/token/foreign-issuer")
	assert.Contains(t, text, "server/token/expiry-form")
	assert.Contains(t, text, "pass  server/keys/rotation")
	assert.NotRegexp(t, "(?m)^(skip|error)", text)
}

// TestRigSignsWithOtherAlgorithms gives each algorithm of a key set.
func TestRigSignsWithOtherAlgorithms(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "PS256"} {
		text := rigRun(t, "--rig-alg", algorithm, "--only", "server/token/accepted,server/token/foreign-issuer")
		assert.Contains(t, text, "pass  server/token/accepted", algorithm)
		assert.Contains(t, text, "pass  server/token/foreign-issuer", algorithm)
	}
}

// rigRun runs the command with a rig and a server behind it. It returns the output.
func rigRun(t *testing.T, flags ...string) string {
	t.Helper()
	port := loopbacktest.Port(t)
	address := "http://127.0.0.1:" + port + "/mcp"
	var out, complaints bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetErr(&complaints)
	command.SetArgs(append([]string{
		"server", address,
		"--rig", "127.0.0.1:0",
		"--rig-start", "'" + os.Args[0] + "' serve {issuer} {audience} {port}",
		"--revision", "2025-11-25",
	}, flags...))
	err := command.ExecuteContext(t.Context())
	t.Logf("%v\n%s", err, complaints.String())
	return out.String()
}

func TestRigRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, want string }{
		{"--rig 127.0.0.1:0 --rig-claims x", "--rig-claims: want a JSON object"},
		{"--rig 127.0.0.1:0 --rig-start /nonexistent", "--rig-start: fork/exec /nonexistent"},
		{"--rig 127.0.0.1:0 --rig-start true", "want a server that keeps running, but the command ended"},
		{"--rig-start true", "--rig-start needs the address of the issuer; give --rig too"},
		{"--rig nowhere", "--rig: rig: listen tcp"},
		{"--rig 127.0.0.1:0 --rig-alg none", "--rig: rig: want the algorithm RS256, PS256, ES256 or HS256"},
		{"--rig 127.0.0.1:0 --rig-alg HS256", "--rig-secret: want a file with the secret"},
		{"--rig 127.0.0.1:0 --rig-secret x", "--rig-secret: only --rig-alg HS256 uses a secret"},
		{"--rig 127.0.0.1:0 --rig-alg HS256 --rig-secret /nonexistent", "--rig-secret: stat /nonexistent"},
		{"--rig 127.0.0.1:0 --sign-in", "--rig makes all tokens"},
	} {
		command := newCommand()
		command.SetArgs(append([]string{"server", "http://127.0.0.1:1/mcp"}, strings.Fields(test.line)...))
		assert.ErrorContains(t, command.ExecuteContext(t.Context()), test.want, test.line)
	}
}
