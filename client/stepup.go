package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxOperations bounds the operations that are remembered because they could not be done. A program
// that has more begins anew.
const maxOperations = 1000

// operation is what a request wants of the server: a method, and the tool, prompt or resource that
// it is about. MCP has attempts counted by that.
func operation(request *http.Request, body func() (io.ReadCloser, error)) string {
	var message struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
			URI  string `json:"uri"`
		} `json:"params"`
	}
	if reader, err := body(); err == nil {
		_ = json.NewDecoder(io.LimitReader(reader, maxBody)).
			Decode(&message)
			// what is not JSON-RPC is about its address alone
		_ = reader.Close()
	}
	sum := sha256.Sum256(
		fmt.Appendf(
			nil,
			"%q %q %q %q %q",
			request.Method,
			request.URL.Path,
			message.Method,
			message.Params.Name,
			message.Params.URI,
		),
	)
	return string(sum[:])
}

// mayStepUp reports whether there is something to be gained by asking for these scopes: the person
// was not asked for one of them yet, by this program or an earlier one, and the operation has not
// had its sign-ins. To ask for the same again would only bother the person. The caller holds the
// lock.
func (t *Transport) mayStepUp(refused refusal, before []string) bool {
	if t.again {
		before = nil
	}
	unasked := func(one string) bool { return !slices.Contains(t.asked, one) && !slices.Contains(before, one) }
	return slices.ContainsFunc(refused.more, unasked) && t.vain[refused.operation] < maxStepUps
}

// wantsMore says that a step up brings nothing more.
func wantsMore(scopes []string) error {
	return &SignInError{fmt.Errorf("the server wants more than it grants: %s", shown(scopes))}
}

// stepsUp counts a sign-in for an operation. The caller holds the lock.
func (t *Transport) stepsUp(operation string) {
	if len(t.vain) >= maxOperations {
		clear(t.vain)
	}
	t.vain[operation]++
	t.inVain.Store(true)
}

// enough is for an operation that could be done.
func (t *Transport) enough(ctx context.Context, operation string) {
	if t.acquire(ctx) != nil {
		return // the caller is gone, and so is the answer
	}
	defer t.release()
	delete(t.vain, operation)
	t.inVain.Store(len(t.vain) > 0)
}

// shown is a list of scopes for an error, cut to what a person reads.
func shown(scopes []string) string {
	const most = 10
	switch {
	case len(scopes) == 0:
		return "it demands scopes and names none"
	case len(scopes) > most:
		return fmt.Sprintf("%s and %d more scopes", strings.Join(scopes[:most], " "), len(scopes)-most)
	}
	return strings.Join(scopes, " ")
}
