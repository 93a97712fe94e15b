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

// connection is the library's transport, and what it does not do of the negotiation of MCP
// 2026-07-28.
type connection struct {
	*transport.StreamableHTTP

	foreign error // why nothing is left to speak; set before initialize, which the library sends next
}

// unsupportedVersion is the JSON-RPC error code of MCP 2026-07-28 for a version that a server does
// not speak.
const unsupportedVersion = -32022

// SendRequest sends a server/discover again that a server refused for its version: one that decides
// the version per request may refuse the first. If the server then names only versions that nobody
// here speaks, there is no falling back to the handshake, for it has said that it does not speak
// that.
func (c *connection) SendRequest(
	ctx context.Context,
	request transport.JSONRPCRequest,
) (*transport.JSONRPCResponse, error) {
	if c.foreign != nil && request.Method == string(mcp.MethodInitialize) {
		return nil, c.foreign
	}
	response, err := c.send(ctx, request)
	if endless := (*endlessError)(nil); errors.As(err, &endless) {
		c.foreign = err // the library would ask such a server again in another way
	}
	if request.Method != string(mcp.MethodServerDiscover) || err != nil {
		return response, err
	}
	if response.Error == nil && !namesNewest(response.Result) {
		// The library would go on with a version that the server has not named. After a refusal it
		// tries the handshake.
		return &transport.JSONRPCResponse{
			JSONRPC: response.JSONRPC,
			ID:      response.ID,
			Error: &mcp.JSONRPCErrorDetails{
				Code:    unsupportedVersion,
				Message: "the server does not speak MCP " + Revisions()[0],
			},
		}, nil
	}
	if response.Error == nil || response.Error.Code != unsupportedVersion {
		return response, err
	}
	response, err = c.send(ctx, request)
	if err == nil && response.Error != nil && response.Error.Code == unsupportedVersion {
		c.foreign = onlyForeign(response.Error.Data)
	}
	return response, err
}

// namesNewest reports whether the newest revision is among the versions that a DiscoverResult
// names. One that names none leaves it to the attempt.
func namesNewest(result json.RawMessage) bool {
	var named struct{ SupportedVersions []string }
	if json.Unmarshal(result, &named) != nil || len(named.SupportedVersions) == 0 {
		return true
	}
	return slices.Contains(named.SupportedVersions, Revisions()[0])
}

// send ends a request whose answer has no end, and takes no answer to another one. The library
// would wait for more of a stream that has failed.
func (c *connection) send(ctx context.Context, request transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	id, err := json.Marshal(request.ID)
	if err != nil {
		return nil, err
	}
	about := context.WithValue(context.WithValue(ctx, endlessKey{}, cancel), requestIDKey{}, id)
	response, err := c.StreamableHTTP.SendRequest(about, request)
	if endless := (*endlessError)(nil); errors.As(context.Cause(ctx), &endless) {
		return nil, endless
	}
	if err == nil {
		err = checkOwn(response, id)
	}
	return response, err
}

// onlyForeign says that none of the versions that an error names is spoken here, or nil.
func onlyForeign(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	var named struct{ Supported []string }
	if json.Unmarshal(text, &named) != nil || len(named.Supported) == 0 {
		return nil
	}
	if slices.ContainsFunc(named.Supported, func(one string) bool { return slices.Contains(Revisions(), one) }) {
		return nil
	}
	return fmt.Errorf(
		"the server speaks MCP %s, and this program %s",
		Printable(strings.Join(named.Supported, ", ")),
		strings.Join(Revisions(), ", "),
	)
}

// again does something once more in a new session, if the server has ended the one it was tried in
// (MCP transports, Session Management).
func again[T any](ctx context.Context, s *Session, do func() (T, error)) (T, error) {
	result, err := do()
	if !errors.Is(err, transport.ErrSessionTerminated) {
		return result, err
	}
	if _, err := s.mcp.Initialize(ctx, s.initialize); err != nil {
		return result, err
	}
	return do()
}
