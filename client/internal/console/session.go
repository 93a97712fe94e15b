package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"mcpentra/client"
)

// A Session is a connection to an MCP server.
type Session struct {
	// Name, Version and Revision are what the server said it is and which revision of MCP is
	// spoken.
	Name, Version, Revision string

	under      *client.Transport
	mcp        *mcpclient.Client
	initialize mcp.InitializeRequest

	mu    sync.Mutex
	known []Tool // from the last list; nil before the first one
}

// ErrTool says that a tool was called and answered with an error. Its text is the tool's.
type ErrTool struct{ Text string }

func (e *ErrTool) Error() string { return e.Text }

// Revisions are the revisions of MCP that are spoken, the newest first.
func Revisions() []string { return []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"} }

// Options say how to connect. The zero value will do.
type Options struct {
	// Revision is the one of MCP that is spoken, and no other. Empty is the newest that the server
	// knows.
	Revision string
	// Version is this program's own.
	Version string
	// Extensions are those of MCP that the server is told of.
	Extensions []string
	// Elicitation is how forms of the server are answered: ElicitDefaults, or not at all if it is
	// empty, which the server is told.
	Elicitation string
}

// Connect connects to the server of a Transport.
func Connect(ctx context.Context, server string, under *client.Transport, options Options) (*Session, error) {
	origin, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	revision := options.Revision
	older := revision != "" && revision != Revisions()[0]
	// Before 2026-07-28 a server may ask on a stream of its own. The library does not speak
	// 2026-07-28 with that stream switched on.
	listens := options.Elicitation != "" && older
	stream := &firstStream{next: matching{bounded{under}}, answered: make(chan struct{})}
	wire := []transport.StreamableHTTPCOption{
		transport.WithHTTPLogger(slog.New(slog.DiscardHandler)),
		transport.WithHTTPBasicClient(&http.Client{
			Transport: stream,
			CheckRedirect: func(next *http.Request, via []*http.Request) error {
				// A redirect to another origin would carry the request there.
				if len(via) > 5 || next.URL.Scheme != origin.Scheme || next.URL.Host != origin.Host {
					return fmt.Errorf("the server redirects to %s, which is not followed", next.URL.Host)
				}
				return nil
			},
		}),
	}
	if listens {
		//lint:ignore SA1019 deprecated because the stream is; a server of an older revision that asks for forms wants it
		wire = append(wire, transport.WithContinuousListening())
	}
	streamable, err := transport.NewStreamableHTTP(server, wire...)
	if err != nil {
		return nil, err
	}
	// A sign-in takes as long as a person takes; the library would give up its first request after
	// five seconds and sign in again for the second.
	settings := []mcpclient.ClientOption{mcpclient.WithDiscoverTimeout(-1)}
	if older {
		//lint:ignore SA1019 deprecated because the handshake is; whoever names an older revision wants the handshake
		settings = append(settings, mcpclient.WithLegacyProtocolOnly())
	}
	capabilities := mcp.ClientCapabilities{}
	for _, name := range options.Extensions {
		if capabilities.Extensions == nil {
			capabilities.Extensions = map[string]any{}
		}
		capabilities.Extensions[name] = map[string]any{}
	}
	if options.Elicitation == ElicitDefaults {
		capabilities.Elicitation = &mcp.ElicitationCapability{Form: &struct{}{}}
		settings = append(settings, mcpclient.WithElicitationHandler(withDefaults{}))
	}
	s := &Session{under: under, mcp: mcpclient.NewClient(&connection{StreamableHTTP: streamable}, settings...)}
	if err := s.mcp.Start(ctx); err != nil {
		return nil, err
	}
	s.initialize = mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: revision,
		ClientInfo:      mcp.Implementation{Name: "mcp-entra-client", Version: options.Version},
		Capabilities:    capabilities,
	}}
	result, err := s.mcp.Initialize(ctx, s.initialize)
	if err == nil && revision != "" && result.ProtocolVersion != revision {
		err = fmt.Errorf("the server speaks MCP %s, not %s", Printable(result.ProtocolVersion), revision)
	}
	if err != nil {
		_ = s.mcp.Close()
		return nil, plain(err)
	}
	if options.Elicitation != "" && revision == "" && !mcp.IsModernProtocol(result.ProtocolVersion) {
		_ = s.mcp.Close()
		options.Revision = result.ProtocolVersion // to listen, which is known to be needed only now
		return Connect(ctx, server, under, options)
	}
	if listens {
		stream.wait(ctx)
	}
	s.Name, s.Version, s.Revision = Printable(
		result.ServerInfo.Name,
	), Printable(
		result.ServerInfo.Version,
	), Printable(
		result.ProtocolVersion,
	)
	return s, nil
}

// askAgain lets the next command sign in if this one's sign-in was interrupted: a person who
// types it wants that.
func (s *Session) askAgain(err error) {
	var signIn *client.SignInError
	if errors.As(err, &signIn) {
		s.under.Reset()
	}
}

// Close ends the connection.
func (s *Session) Close() { _ = s.mcp.Close() }

// Call calls a tool with its arguments, a JSON object or nothing, and returns what it says. It
// lists the tools first if that was not done yet: the list says which headers a call needs and
// which tools must not be called (MCP 2026-07-28 transports, Custom Headers from Tool
// Parameters). An answer that is an error is an *ErrTool.
func (s *Session) Call(ctx context.Context, tool, arguments string) (string, error) {
	object, err := ReadArguments(arguments)
	if err != nil {
		return "", err
	}
	found, err := s.Find(ctx, tool)
	if err != nil {
		return "", err
	}
	return s.call(ctx, found, object)
}

// CallWith is Call with arguments as a person types them: words of the form name=value, or a JSON
// object. The tool's schema says which types the values are of.
func (s *Session) CallWith(ctx context.Context, tool string, words []string) (string, error) {
	if err := CheckArguments(words); err != nil {
		return "", err
	}
	found, err := s.Find(ctx, tool)
	if err != nil {
		return "", err
	}
	object, err := found.arguments(words)
	if err != nil {
		return "", err
	}
	return s.call(ctx, found, object)
}

// call calls a tool that the server has listed.
func (s *Session) call(ctx context.Context, tool Tool, object map[string]any) (string, error) {
	request := mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool.sent}}
	if object != nil {
		request.Params.Arguments = object
	}
	result, err := again(ctx, s, func() (*mcp.CallToolResult, error) { return s.mcp.CallTool(ctx, request) })
	if err != nil {
		return "", plain(err)
	}
	var lines []string
	for _, content := range result.Content {
		switch content := content.(type) {
		case mcp.TextContent:
			lines = append(lines, Printable(content.Text))
		case mcp.ImageContent:
			lines = append(lines, fmt.Sprintf("[image, %s, %d bytes in base64]", Printable(content.MIMEType), len(content.Data)))
		case mcp.AudioContent:
			lines = append(lines, fmt.Sprintf("[audio, %s, %d bytes in base64]", Printable(content.MIMEType), len(content.Data)))
		default:
			text, err := json.Marshal(content)
			if err != nil {
				return "", err
			}
			lines = append(lines, Printable(string(text)))
		}
	}
	if len(lines) == 0 && result.StructuredContent != nil {
		text, err := json.Marshal(result.StructuredContent)
		if err != nil {
			return "", err
		}
		lines = append(lines, Printable(string(text)))
	}
	if result.IsError {
		return "", &ErrTool{strings.Join(lines, "\n")}
	}
	return strings.Join(lines, "\n"), nil
}

// plain digs out of the library's wrapping what a person can act on.
func plain(err error) error {
	var signIn *client.SignInError
	if errors.As(err, &signIn) {
		return signIn
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
