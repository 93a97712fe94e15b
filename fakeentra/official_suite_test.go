package fakeentra_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/testdata/interop/official"
)

// The scenarios of the official suite for authorization servers.
const (
	suiteMetadata = "authorization-server-metadata-endpoint"
	suiteCode     = "authorization-code-grant"
)

// judged is what the official suite says about a fake with a face.
func judged(t *testing.T, face fakeentra.Face) *official.Run {
	t.Helper()
	official.Need(t)
	port := loopbacktest.Port(t)
	d := changed(func(t *directory.Tenant) {
		t.Apps[0].PublicClient = append(t.Apps[0].PublicClient, "http://127.0.0.1:"+port+"/callback")
	})
	fake := fakeentra.NewServer(fakeentra.Config{Directory: d, Face: face, AutoSignIn: true})
	t.Cleanup(fake.Close)
	return official.Authorization(t, port,
		"--url", fake.URL+"/"+directory.DefaultTenantID+"/v2.0",
		"--client-id", directory.DefaultClientID,
	)
}

func TestInteropOfficialAuthorization(t *testing.T) {
	t.Parallel()
	both := []string{suiteMetadata, suiteCode}
	t.Run("the spec-aligned face is what MCP wants", func(t *testing.T) {
		t.Parallel()
		run := judged(t, fakeentra.SpecAlignedFace)
		assert.Zero(t, run.Exit)
		assert.Equal(
			t,
			both,
			run.Passed(both, official.Failure),
			"%s\n%s",
			run.Against(both, official.Failure),
			run.Output,
		)
	})
	t.Run("Entra's face is not", func(t *testing.T) {
		t.Parallel()
		run := judged(t, fakeentra.EntraFace)
		assert.NotZero(t, run.Exit)
		assert.Empty(t, run.Passed(both, official.Failure))
		assert.Contains(t, run.Against(both, official.Failure), "code_challenge_methods_supported")
	})
}
