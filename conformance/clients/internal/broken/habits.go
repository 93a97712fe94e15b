package broken

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Habits in which good clients, and the programs that drive them, differ. No check may judge them.
const (
	ReadsRedirect    Fault = "reads the redirect itself, without a listener"
	ShowsText        Fault = "shows the answer as plain text"
	CallsUnlisted    Fault = "calls the tool without regard to the list"
	CallsNoTool      Fault = "lists the tools and calls none"
	ListsNoTools     Fault = "calls the tool without a list"
	OnlySignsIn      Fault = "ends after the sign-in"
	ProbesFirst      Fault = "sends HEAD and GET before the first POST"
	ConnectsTwice    Fault = "connects twice"
	TriesTwice       Fault = "does a failed task again"
	OpensStream      Fault = "opens a stream with GET"
	OpensStreamEarly Fault = "opens a stream before it reads the answer to initialize"
	SpeaksOne        Fault = "speaks only MCP 2025-06-18"
	HangsAtFailure   Fault = "does not end after a failure"
	InitializesFirst Fault = "tries initialize before server/discover"
	PrintsNothing    Fault = "prints nothing about a failure"
	RevokesAtEnd     Fault = "revokes its access token at the end"
	OnlyConfigured   Fault = "signs in with a configured client ID only"
	OnlyDocumented   Fault = "signs in with its document only"
	ReadsSlowly      Fault = "pauses while it reads a long response"
)

// probe explores the MCP endpoint before the first message.
func (r *attempt) probe(ctx context.Context) {
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		_, _, _ = r.do(ctx, method, r.task.URL, http.Header{"Accept": {"*/*"}}, nil)
	}
}

// openStream asks for a stream of messages from the server.
func (r *attempt) openStream(ctx context.Context) {
	token := ""
	if r.grant != nil {
		token = r.grant.access
	}
	header := r.header("", token, false)
	header.Set("Accept", eventStream)
	header.Del("Mcp-Method")
	_, _, _ = r.do(ctx, http.MethodGet, r.task.URL, header, nil)
}

// revokeAccess revokes the access token, and keeps the rest of the grant.
func (r *attempt) revokeAccess(ctx context.Context) {
	if r.grant == nil || r.grant.issuer.Revocation == "" {
		return
	}
	asked := url.Values{"token": {r.grant.access}}
	header := http.Header{}
	r.authenticate(r.grant.client, header, asked)
	_, _, _ = r.post(ctx, r.grant.issuer.Revocation, formType, header, []byte(asked.Encode()))
}

// hang waits until the run is cancelled.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A slowReader waits after each block of a long response.
type slowReader struct {
	ctx  context.Context
	from io.Reader
	read int // bytes of this block
}

func (s *slowReader) Read(into []byte) (int, error) {
	const block = 64 << 10
	if s.read >= block {
		s.read = 0
		select {
		case <-time.After(2 * second):
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	n, err := s.from.Read(into[:min(len(into), block)])
	s.read += n
	return n, err
}
