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
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/loopback"
)

// Client is a small MCP client. Without faults it keeps every rule that there is a check of clients
// for.
func Client(faults ...Fault) bench.Target {
	c := &faultyClient{faults: faults, memories: map[string]*memory{}}
	return bench.Target{
		Name:       "broken client",
		Run:        c.run,
		Abilities:  bench.Abilities(),
		Revisions:  check.Revisions(),
		Document:   c.document(),
		HTTPClient: &http.Client{Transport: hosting{c}},
		Timeout:    5 * time.Second,
		Second:     second,
	}
}

// second is how long the client takes for a second.
const second = 50 * time.Millisecond

// faultyClient is what is left of a client between runs.
type faultyClient struct {
	faults   []Fault
	mu       sync.Mutex
	memories map[string]*memory // by Task.State
}

// memory is what a client knows of one directory.
type memory struct {
	renewing sync.Mutex // held while a token is refreshed

	mu      sync.Mutex
	clients map[string]identity       // by issuer
	grants  map[string]grant          // by MCP server and account
	lists   map[string]map[string]any // of tools by MCP server, for a client that caches them
	latest  *pending                  // for a client that mixes things up
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

// attempt is one task.
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
	slow       bool               // the token endpoint was given up on once
	declined   bool               // a step up was refused
	first      []string           // the scopes that the first sign-in asked for
	left       []*httptest.Server // listeners that should have been closed
}

var errRefused = errors.New("the server refuses the token")

func (c *faultyClient) has(fault Fault) bool { return slices.Contains(c.faults, fault) }

func (c *faultyClient) run(ctx context.Context, task bench.Task) error {
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
	r.grant = r.kept(r.place())
	defer func() {
		for _, listener := range r.left {
			listener.Close()
		}
	}()
	return r.work(ctx)
}

// place is what a token is kept under.
func (r *attempt) place() string {
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
			InsecureSkipVerify: c.has(VerifiesNoCertificate),
		} //nolint:gosec // one of the faults
		if c.has(SpeaksOldTLS) {
			transport.TLSClientConfig.MinVersion = tls.VersionTLS10
		}
	}
	return transport, nil
}

// work connects, lists the tools and calls one.
func (r *attempt) work(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	listed, err := r.list(ctx)
	if err != nil {
		return err
	}
	if err := r.lookAt(ctx, listed); err != nil {
		return err
	}
	for range max(1, r.task.Calls) {
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
	if r.has(WritesTokenForAll) {
		return os.WriteFile(
			filepath.Join(r.task.State, "token"),
			[]byte(r.grant.access),
			0o644,
		) //nolint:gosec // one of the faults
	}
	return nil
}

// list lists the tools.
func (r *attempt) list(ctx context.Context) (map[string]any, error) {
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
	if _, err := r.call(
		ctx,
		"initialize",
		map[string]any{
			"protocolVersion": version,
			"capabilities":    r.capabilities(),
			"clientInfo":      map[string]any{"name": "broken client", "version": "1"},
		},
	); err != nil {
		return err
	}
	_, err := r.call(ctx, "notifications/initialized", nil)
	return err
}

// lookAt does with a list of tools what a client should not.
func (r *attempt) lookAt(ctx context.Context, listed map[string]any) error {
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
	return err
}

// rpcError is a refusal of the MCP server.
type rpcError struct {
	status, code int
	text         string
}

func (e *rpcError) Error() string {
	return fmt.Sprintf("the server answers %d, %d: %s", e.status, e.code, e.text)
}

// call sends one message, and signs in, renews and steps up on the way.
func (r *attempt) call(ctx context.Context, method string, params map[string]any) (map[string]any, error) {
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
				return nil, errRefused
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
				return nil, errors.New("signed in again; say once more what to do")
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

// inputRequired reads what a server of MCP 2026-07-28 wants of the person.
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
		r.elicited(ctx, wanted.Params)
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
		return nil, &rpcError{status: response.StatusCode, text: "no answer that could be used"}
	}
	if message.Result["resultType"] == "input_required" {
		return nil, errors.New("the server wants something of the person, which nobody here can be asked for")
	}
	return message.Result, nil
}
