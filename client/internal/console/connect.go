package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"mcpentra/client"
)

// A Session is a connection to an MCP server.
type Session struct {
	// Name and Version are the server's own name and version.
	Name    string
	Version string
	// Revision is the revision of MCP that the session uses.
	Revision string

	under      *client.Transport
	mcp        *mcpclient.Client
	stream     *streamTransport
	initialize mcp.InitializeRequest
	negotiated string // the revision in the server's own words

	mu    sync.Mutex
	known []Tool // from the last list; nil before the first one
}

// Options set up a connection. The zero value is enough.
type Options struct {
	// Revision is the only revision of MCP to use. Empty means the newest that the server supports.
	Revision string
	// Version is the version of this program, for the server.
	Version string
	// Extensions are the extensions of MCP that the client declares.
	Extensions []string
	// Elicitation is ElicitDefaults, or empty: then the client declares that it answers no forms.
	Elicitation string
}

// isOlder reports whether the revision is known to be older than the newest.
func (o Options) isOlder() bool { return o.Revision != "" && o.Revision != Revisions()[0] }

// needsStream reports whether the server asks for forms on a stream of its own, as servers did
// before 2026-07-28. The library cannot use 2026-07-28 while it reads that stream.
func (o Options) needsStream() bool { return o.Elicitation != "" && o.isOlder() }

// Connect connects to the server of a Transport.
func Connect(ctx context.Context, server string, under *client.Transport, options Options) (*Session, error) {
	for {
		s, err := newSession(server, under, options)
		if err != nil {
			return nil, err
		}
		if err := s.handshake(ctx, options); err != nil {
			return nil, err
		}
		// Only now it is known that the revision is older, and that the stream is needed.
		needsStream := options.Elicitation != "" && !mcp.IsModernProtocol(s.negotiated)
		if options.Revision != "" || !needsStream {
			return s, nil
		}
		s.Close()
		options.Revision = s.negotiated
	}
}

func newSession(server string, under *client.Transport, options Options) (*Session, error) {
	stream := &streamTransport{
		next:     matchingTransport{boundedTransport{under}},
		answered: make(chan struct{}),
	}
	wire, err := newWire(server, stream, options)
	if err != nil {
		return nil, err
	}
	return &Session{
		under:  under,
		stream: stream,
		mcp:    mcpclient.NewClient(&negotiator{StreamableHTTP: wire}, clientOptions(options)...),
		initialize: mcp.InitializeRequest{Params: mcp.InitializeParams{
			ProtocolVersion: options.Revision,
			ClientInfo:      mcp.Implementation{Name: "mcp-entra-client", Version: options.Version},
			Capabilities:    capabilities(options),
		}},
	}, nil
}

// newWire makes the library's HTTP transport.
func newWire(server string, through http.RoundTripper, options Options) (*transport.StreamableHTTP, error) {
	origin, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	wireOptions := []transport.StreamableHTTPCOption{
		transport.WithHTTPLogger(slog.New(slog.DiscardHandler)),
		transport.WithHTTPBasicClient(&http.Client{
			Transport:     through,
			CheckRedirect: stayAt(origin),
		}),
	}
	if options.needsStream() {
		//lint:ignore SA1019 deprecated with the stream; older servers still ask for forms on it
		wireOptions = append(wireOptions, transport.WithContinuousListening())
	}
	return transport.NewStreamableHTTP(server, wireOptions...)
}

// stayAt refuses redirects to other origins, which would receive the request.
func stayAt(origin *url.URL) func(*http.Request, []*http.Request) error {
	const maxRedirects = 5
	return func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || next.URL.Scheme != origin.Scheme || next.URL.Host != origin.Host {
			return fmt.Errorf("the server redirects to %s, which is not followed", next.URL.Host)
		}
		return nil
	}
}

func clientOptions(options Options) []mcpclient.ClientOption {
	// A sign-in takes as long as a person takes. By default the library would give up its first
	// request after five seconds, and sign in again for the second.
	all := []mcpclient.ClientOption{mcpclient.WithDiscoverTimeout(-1)}
	if options.isOlder() {
		//lint:ignore SA1019 deprecated with the handshake; an older revision needs the handshake
		all = append(all, mcpclient.WithLegacyProtocolOnly())
	}
	if options.Elicitation == ElicitDefaults {
		all = append(all, mcpclient.WithElicitationHandler(defaultsHandler{}))
	}
	return all
}

func capabilities(options Options) mcp.ClientCapabilities {
	var all mcp.ClientCapabilities
	for _, name := range options.Extensions {
		if all.Extensions == nil {
			all.Extensions = map[string]any{}
		}
		all.Extensions[name] = map[string]any{}
	}
	if options.Elicitation == ElicitDefaults {
		all.Elicitation = &mcp.ElicitationCapability{Form: &struct{}{}}
	}
	return all
}

// handshake agrees on a revision, and waits for the server's stream if the session needs it. It
// closes the session if that fails.
func (s *Session) handshake(ctx context.Context, options Options) error {
	if err := s.mcp.Start(ctx); err != nil {
		return err
	}
	result, err := s.mcp.Initialize(ctx, s.initialize)
	if err == nil && options.Revision != "" && result.ProtocolVersion != options.Revision {
		err = fmt.Errorf("the server speaks MCP %s, not %s", Printable(result.ProtocolVersion), options.Revision)
	}
	if err != nil {
		s.Close()
		return plain(err)
	}
	if options.needsStream() {
		s.stream.wait(ctx)
	}
	s.negotiated = result.ProtocolVersion
	s.Name = Printable(result.ServerInfo.Name)
	s.Version = Printable(result.ServerInfo.Version)
	s.Revision = Printable(result.ProtocolVersion)
	return nil
}

// Close ends the connection.
func (s *Session) Close() { _ = s.mcp.Close() }

// askAgain allows the next command to sign in after an interrupted sign-in: a person who types
// another command wants that.
func (s *Session) askAgain(err error) {
	var signIn *client.SignInError
	if errors.As(err, &signIn) {
		s.under.Reset()
	}
}

// plain unwraps the part of the library's error that a person can act on.
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
