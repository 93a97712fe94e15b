package broken

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/loopback"
)

// Client returns a small MCP client with these faults. Without faults it keeps every rule.
func Client(faults ...Fault) bench.Target {
	c := &faultyClient{faults: faults, memories: map[string]*memory{}}
	return bench.Target{
		Name:       "broken client",
		Run:        c.run,
		Abilities:  bench.Abilities(),
		Revisions:  check.Revisions(),
		Document:   c.document(),
		HTTPClient: &http.Client{Transport: hosting{c}},
		Timeout:    10 * time.Second, // for busy machines
		Second:     second,
	}
}

// second is the length of a second for the client.
const second = 50 * time.Millisecond

// faultyClient is the state of a client between runs.
type faultyClient struct {
	faults   []Fault
	mu       sync.Mutex
	memories map[string]*memory // by Task.State
}

// memory is the state of a client for one state directory.
type memory struct {
	renewing sync.Mutex // held while a token is refreshed

	mu      sync.Mutex
	clients map[string]identity       // by issuer
	grants  map[string]grant          // by MCP server and account
	lists   map[string]map[string]any // of tools by MCP server, for a client that caches them
	latest  *pending                  // for MixesSignInsUp
}

// identity is a client as an authorization server knows it.
type identity struct{ id, secret, method, redirect string }

type grant struct {
	access, refresh string
	scopes          []string
	issuer          *issuerDocument
	client          identity
	resource        string
}

// attempt is one run of a task.
type attempt struct {
	*faultyClient
	task    bench.Task
	memory  *memory
	http    *http.Client
	session string
	id      int
	modern  bool

	grant      *grant
	configured string // the issuer that a configured client ID is for
	found      *issuerDocument
	foundFor   string // the resource
	signIns    int
	stepUps    int
	slow       bool               // a token request was cancelled once
	declined   bool               // a step-up failed
	first      []string           // the scopes of the first sign-in
	unclosed   []*httptest.Server // listeners, for KeepsListening
}

var errTokenRefused = errors.New("the server refuses the token")

func (c *faultyClient) has(fault Fault) bool { return slices.Contains(c.faults, fault) }

func (c *faultyClient) run(ctx context.Context, task bench.Task) error {
	err := c.runOnce(ctx, task)
	switch {
	case err == nil:
		return nil
	case c.has(HangsAtFailure):
		return hang(ctx)
	case c.has(PrintsNothing):
		return &exec.ExitError{}
	}
	return err
}

func (c *faultyClient) runOnce(ctx context.Context, task bench.Task) error {
	if c.has(SpeaksOne) {
		task.Revision = check.R20250618
	}
	c.mu.Lock()
	if c.memories[task.State] == nil {
		c.memories[task.State] = &memory{
			clients: map[string]identity{},
			grants:  map[string]grant{},
			lists:   map[string]map[string]any{},
		}
	}
	r := &attempt{faultyClient: c, task: task, memory: c.memories[task.State], modern: task.Revision == check.R20260728}
	c.mu.Unlock()
	transport, err := c.transport(task)
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	r.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.grant = r.storedGrant(r.grantKey())
	defer func() {
		for _, listener := range r.unclosed {
			listener.Close()
		}
	}()
	err = r.work(ctx)
	if err != nil && r.has(TriesTwice) {
		r.session = ""
		r.signIns = 0
		r.stepUps = 0
		r.declined = false
		err = r.work(ctx)
	}
	return err
}

// grantKey is the key under which a grant is stored.
func (r *attempt) grantKey() string {
	if r.has(HasOneToken) {
		return ""
	}
	if r.has(SharesAccounts) {
		return r.task.URL
	}
	return r.task.URL + " " + r.task.Account
}

func (c *faultyClient) transport(task bench.Task) (*http.Transport, error) {
	transport := &http.Transport{DialContext: loopback.Dial}
	if task.Proxy != "" {
		proxy, err := url.Parse(task.Proxy)
		if err != nil {
			return nil, err
		}
		transport.Proxy = func(r *http.Request) (*url.URL, error) {
			if onLoopback(r.URL.Hostname()) && !c.has(ProxiesLoopback) {
				return nil, nil
			}
			return proxy, nil
		}
	}
	if task.CAFile != "" {
		text, err := os.ReadFile(task.CAFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		transport.TLSClientConfig = &tls.Config{
			RootCAs:            pool,
			InsecureSkipVerify: c.has(VerifiesNoCertificate), //nolint:gosec // one of the faults
		}
		if c.has(SpeaksOldTLS) {
			transport.TLSClientConfig.MinVersion = tls.VersionTLS10
		}
	}
	return transport, nil
}

// work connects, lists the tools and calls one.
func (r *attempt) work(ctx context.Context) error {
	if err := r.start(ctx); err != nil || r.has(OnlySignsIn) {
		return err
	}
	if err := r.readTools(ctx); err != nil && !r.has(CallsUnlisted) {
		return err
	}
	calls := max(1, r.task.Calls)
	if r.has(CallsNoTool) {
		calls = 0
	}
	var err error
	for range calls {
		if r.has(ForgetsAttempts) {
			r.stepUps = 0
		}
		_, failed := r.call(ctx, "tools/call", map[string]any{"name": r.task.Tool, "arguments": map[string]any{}})
		err = errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	if r.task.SignOut {
		return r.signOut(ctx)
	}
	if r.has(RevokesAtEnd) {
		r.revokeAccess(ctx)
	}
	if r.has(WritesTokenForAll) {
		name := filepath.Join(r.task.State, "token")
		return os.WriteFile(name, []byte(r.grant.access), 0o644) //nolint:gosec // one of the faults
	}
	return nil
}

// start connects, once or twice.
func (r *attempt) start(ctx context.Context) error {
	times := 1
	if r.has(ConnectsTwice) {
		times = 2
	}
	for range times {
		if r.has(ProbesFirst) {
			r.probe(ctx)
		}
		if err := r.connect(ctx); err != nil {
			return err
		}
		if r.has(OpensStream) || r.has(ListensWithoutEnd) {
			r.openStream(ctx)
		}
	}
	return nil
}

// readTools lists the tools and inspects the list.
func (r *attempt) readTools(ctx context.Context) error {
	if r.has(ListsNoTools) {
		return nil
	}
	listed, err := r.listTools(ctx)
	if err != nil {
		return err
	}
	return r.inspectTools(ctx, listed)
}

// listTools returns the result of tools/list.
func (r *attempt) listTools(ctx context.Context) (map[string]any, error) {
	r.memory.mu.Lock()
	listed, found := r.memory.lists[r.task.URL]
	r.memory.mu.Unlock()
	if found && r.has(CachesForAll) {
		return listed, nil
	}
	listed, err := r.call(ctx, "tools/list", map[string]any{})
	if err == nil {
		r.memory.mu.Lock()
		r.memory.lists[r.task.URL] = listed
		r.memory.mu.Unlock()
	}
	return listed, err
}

func (r *attempt) connect(ctx context.Context) error {
	if r.modern {
		if r.has(InitializesFirst) {
			_, _ = r.call(ctx, "initialize", map[string]any{})
		}
		_, err := r.call(ctx, "server/discover", map[string]any{})
		var failed *rpcError
		if !errors.As(err, &failed) || failed.status != http.StatusBadRequest {
			return err
		}
		if failed.code == -32022 && !r.has(FallsBackAlways) {
			return err
		}
		r.modern = false
	}
	r.session = ""
	version := r.task.Revision
	if version == check.R20260728 {
		version = check.R20251125
	}
	answer, err := r.call(ctx, "initialize", map[string]any{
		"protocolVersion": version,
		"capabilities":    r.capabilities(),
		"clientInfo":      map[string]any{"name": "broken client", "version": "1"},
	})
	if err != nil || r.has(OnlySignsIn) {
		return err
	}
	if r.has(SpeaksOne) && answer["protocolVersion"] != string(version) {
		return fmt.Errorf("want MCP %s, got %v", version, answer["protocolVersion"])
	}
	if r.has(OpensStreamEarly) {
		session := r.session
		r.session = ""
		r.openStream(ctx)
		r.session = session
	}
	_, err = r.call(ctx, "notifications/initialized", nil)
	return err
}

// inspectTools fetches references, and checks the headers of tools.
func (r *attempt) inspectTools(ctx context.Context, listed map[string]any) error {
	text, err := json.Marshal(listed)
	if err != nil {
		return err
	}
	if i := bytes.Index(text, []byte(`"$ref":"`)); i >= 0 && r.has(FetchesReferences) {
		address, _, _ := strings.Cut(string(text[i+8:]), `"`)
		_, _, err = r.get(ctx, address)
	}
	if r.modern && !r.has(CallsAnyTool) {
		err = errors.Join(err, checkHeaders(text))
	}
	if !bytes.Contains(text, []byte(`"name":"`+r.task.Tool+`"`)) {
		err = errors.Join(err, fmt.Errorf("want the tool %q in the list", r.task.Tool))
	}
	return err
}

// rpcError is an error response of the MCP server.
type rpcError struct {
	status, code int
	text         string
}

func (e *rpcError) Error() string {
	return fmt.Sprintf("the server answers %d, %d: %s", e.status, e.code, e.text)
}

// call sends one message. It signs in, renews the token and steps up when the server asks for it.
func (r *attempt) call(ctx context.Context, method string, params map[string]any) (map[string]any, error) {
	if r.has(SignsInUnasked) && r.grant == nil {
		r.signIns++
		if err := r.signIn(ctx, nil, nil); err != nil {
			return nil, err
		}
	}
	asked := !r.has(SendsTokenWhenAsked)
	renewed := false
	retry := false
	for {
		response, body, err := r.send(ctx, method, params, asked, retry)
		if err != nil {
			return nil, err
		}
		retry = true
		switch {
		case response.StatusCode == http.StatusUnauthorized && !asked && r.grant != nil:
			asked = true
		case response.StatusCode == http.StatusUnauthorized:
			challenge, err := r.challenge(ctx, response.Header)
			if err != nil {
				return nil, err
			}
			if r.has(GivesUpAtRefusal) {
				return nil, errTokenRefused
			}
			if r.has(FollowsBody) {
				if _, address, found := strings.Cut(string(body), `"authorization_url":"`); found {
					address, _, _ = strings.Cut(address, `"`)
					_ = r.task.Open(ctx, address)
				}
			}
			if err := r.renew(ctx, challenge, &renewed); err != nil {
				return nil, err
			}
			if r.has(OnlySignsIn) {
				return nil, nil
			}
			asked = true
		case response.StatusCode == http.StatusForbidden &&
			strings.Contains(strings.Join(response.Header.Values("WWW-Authenticate"), ","), "insufficient_scope"):
			challenge, err := r.challenge(ctx, response.Header)
			if err != nil {
				return nil, err
			}
			if err := r.stepUp(ctx, challenge); err != nil {
				return nil, err
			}
			if r.has(DoesNotRepeat) {
				return nil, errors.New("signed in again; repeat the command")
			}
		case response.StatusCode == http.StatusNotFound && r.session != "" && method != "initialize" &&
			!r.has(StaysInDeadSession):
			if err := r.connect(ctx); err != nil {
				return nil, err
			}
		case strings.HasPrefix(response.Header.Get("Content-Type"), eventStream):
			return r.stream(ctx, response, body)
		default:
			if bytes.Contains(body, []byte("inputRequests")) {
				r.inputRequired(ctx, body)
			}
			return r.result(response, body)
		}
	}
}

// inputRequired handles the elicitations in a result (MCP 2026-07-28).
func (r *attempt) inputRequired(ctx context.Context, body []byte) {
	var message struct {
		Result struct {
			Requests map[string]struct{ Params elicitation } `json:"inputRequests"`
		} `json:"result"`
	}
	if json.Unmarshal(body, &message) != nil {
		return
	}
	for _, wanted := range message.Result.Requests {
		r.elicit(ctx, wanted.Params)
	}
}

func (r *attempt) result(response *http.Response, body []byte) (map[string]any, error) {
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		r.session = id
	}
	if response.StatusCode == http.StatusAccepted {
		return nil, nil
	}
	var message struct {
		Result map[string]any `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	err := json.Unmarshal(body, &message)
	switch {
	case err == nil && message.Error != nil:
		return nil, &rpcError{response.StatusCode, message.Error.Code, message.Error.Message}
	case response.StatusCode != http.StatusOK || err != nil:
		return nil, &rpcError{status: response.StatusCode, text: "not a JSON-RPC response"}
	}
	if message.Result["resultType"] == "input_required" {
		return nil, errors.New("the server asks for input, which this client does not support")
	}
	return message.Result, nil
}
