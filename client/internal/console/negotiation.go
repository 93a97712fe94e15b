package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// Revisions returns the supported revisions of MCP, the newest first.
func Revisions() []string { return []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"} }

// unsupportedVersion is the JSON-RPC error code for a version that the server does not support (MCP
// 2026-07-28).
const unsupportedVersion = -32022

// negotiator adds to the library's transport what it lacks of the negotiation of MCP 2026-07-28.
type negotiator struct {
	*transport.StreamableHTTP

	failed error // why initialize, which the library sends next, cannot help either
}

// SendRequest sends server/discover again if the server refused its version: a server that decides
// the version for each request may refuse the first. If the server then names only unsupported
// versions, initialize is not tried, because the server has said that it does not support its
// versions.
func (n *negotiator) SendRequest(
	ctx context.Context, request transport.JSONRPCRequest,
) (*transport.JSONRPCResponse, error) {
	if n.failed != nil && request.Method == string(mcp.MethodInitialize) {
		return nil, n.failed
	}
	response, err := n.send(ctx, request)
	if endless := (*endlessError)(nil); errors.As(err, &endless) {
		n.failed = err // the library would ask the server again in another way
	}
	if request.Method != string(mcp.MethodServerDiscover) || err != nil {
		return response, err
	}
	if response.Error == nil && !namesNewest(response.Result) {
		// The library would continue with a version that the server has not named. After a refusal
		// it tries initialize.
		return &transport.JSONRPCResponse{
			JSONRPC: response.JSONRPC,
			ID:      response.ID,
			Error: &mcp.JSONRPCErrorDetails{
				Code:    unsupportedVersion,
				Message: "the server does not speak MCP " + Revisions()[0],
			},
		}, nil
	}
	if !refusesVersion(response) {
		return response, nil
	}
	response, err = n.send(ctx, request)
	if err == nil && refusesVersion(response) {
		n.failed = onlyUnsupported(response.Error.Data)
	}
	return response, err
}

func refusesVersion(response *transport.JSONRPCResponse) bool {
	return response.Error != nil && response.Error.Code == unsupportedVersion
}

// namesNewest reports whether a DiscoverResult names the newest revision. If it names none, the
// next request decides.
func namesNewest(result json.RawMessage) bool {
	var named struct{ SupportedVersions []string }
	if json.Unmarshal(result, &named) != nil || len(named.SupportedVersions) == 0 {
		return true
	}
	return slices.Contains(named.SupportedVersions, Revisions()[0])
}

// onlyUnsupported returns an error if the data of an error names versions, but no supported one.
func onlyUnsupported(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	var named struct{ Supported []string }
	if json.Unmarshal(text, &named) != nil || len(named.Supported) == 0 {
		return nil
	}
	isOurs := func(version string) bool { return slices.Contains(Revisions(), version) }
	if slices.ContainsFunc(named.Supported, isOurs) {
		return nil
	}
	return fmt.Errorf("the server speaks MCP %s, and this program %s",
		Printable(strings.Join(named.Supported, ", ")), strings.Join(Revisions(), ", "))
}

// send sends a request and checks that the response is for it. It ends a request whose message has
// no end, because the library would wait for more of the failed stream.
func (n *negotiator) send(ctx context.Context, request transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	id, err := json.Marshal(request.ID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	marked := context.WithValue(context.WithValue(ctx, endKey{}, cancel), requestIDKey{}, id)
	response, err := n.StreamableHTTP.SendRequest(marked, request)
	if endless := (*endlessError)(nil); errors.As(context.Cause(ctx), &endless) {
		return nil, endless
	}
	if err == nil {
		err = checkID(response, id)
	}
	return response, err
}

// inSession does something in a session. If the server has ended the session, it does it once more
// in a new one (MCP transports, Session Management).
func inSession[T any](ctx context.Context, s *Session, do func() (T, error)) (T, error) {
	result, err := do()
	if !errors.Is(err, transport.ErrSessionTerminated) {
		return result, err
	}
	if _, err := s.mcp.Initialize(ctx, s.initialize); err != nil {
		return result, err
	}
	return do()
}
