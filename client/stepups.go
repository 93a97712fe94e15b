package client

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxStepUps bounds the sign-ins for more scopes that one operation can cause, over all its
	// requests.
	maxStepUps = 3
	// maxOperations bounds the operations with failed step-ups that are remembered. A program that
	// has more starts counting again.
	maxOperations = 1000
	// maxShownScopes bounds the scopes in an error.
	maxShownScopes = 10
)

// stepUps counts the sign-ins for more scopes by operation (MCP 2026-07-28, Step-Up Authorization
// Flow). A server can thus not make a person sign in again and again.
type stepUps struct {
	mu        sync.Mutex
	requested []string       // scopes of the last sign-in
	repeat    bool           // scopes of an earlier sign-in may be requested again
	failed    map[string]int // step-ups by operation that have not helped so far
	count     atomic.Int64   // operations in failed
}

func newStepUps() *stepUps { return &stepUps{failed: map[string]int{}} }

// begin counts a step-up of an operation. It reports false if the step-up would only bother the
// person: all its scopes were requested before, by this Transport or in an earlier sign-in, or the
// operation has used up its step-ups.
func (s *stepUps) begin(operation string, scopes, earlier []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repeat {
		earlier = nil
	}
	isNew := func(scope string) bool {
		return !slices.Contains(s.requested, scope) && !slices.Contains(earlier, scope)
	}
	if !slices.ContainsFunc(scopes, isNew) || s.failed[operation] >= maxStepUps {
		return false
	}
	if len(s.failed) >= maxOperations {
		clear(s.failed)
	}
	s.failed[operation]++
	s.count.Store(int64(len(s.failed)))
	return true
}

// request notes the scopes of a sign-in.
func (s *stepUps) request(scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requested = scopes
	s.repeat = false
}

// pending reports whether there are step-ups that have not helped so far.
func (s *stepUps) pending() bool { return s.count.Load() > 0 }

// succeeded forgets the step-ups of an operation.
func (s *stepUps) succeeded(operation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failed, operation)
	s.count.Store(int64(len(s.failed)))
}

// reset forgets everything, and allows all scopes to be requested again.
func (s *stepUps) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requested = nil
	s.repeat = true
	clear(s.failed)
	s.count.Store(0)
}

// operationOf identifies what a request does: its method and path, and the JSON-RPC method with the
// tool, prompt or resource in it. A body that is not JSON-RPC counts by method and path alone.
func operationOf(request *http.Request, body getBody) string {
	var message struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
			URI  string `json:"uri"`
		} `json:"params"`
	}
	if reader, err := body(); err == nil {
		_ = json.NewDecoder(io.LimitReader(reader, maxBody)).Decode(&message)
		_ = reader.Close()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q",
		request.Method, request.URL.Path, message.Method, message.Params.Name, message.Params.URI))
	return string(sum[:])
}

// demandsMore returns the error of a request for which a step-up brings nothing more.
func demandsMore(scopes []string) error {
	switch {
	case len(scopes) == 0:
		return &SignInError{errors.New("the server demands more scopes but names none")}
	case len(scopes) > maxShownScopes:
		scopes = append(slices.Clone(scopes[:maxShownScopes]), fmt.Sprintf("and %d more", len(scopes)-maxShownScopes))
	}
	return &SignInError{fmt.Errorf("the server still demands more scopes: %s", strings.Join(scopes, " "))}
}
