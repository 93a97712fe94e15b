package broken

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Faults in the places where a server looks for a token.
const (
	AcceptsQueryKey         Fault = "accepts a token in the parameter api_key"
	StreamsWithQueryToken   Fault = "opens a stream for a token in the query"
	AcceptsSessionCookie    Fault = "accepts a token in the cookie mcp_session"
	AcceptsKeyHeader        Fault = "accepts a token in the header X-Api-Key"
	AcceptsBasicPassword    Fault = "accepts a token as the password of Basic"
	AcceptsTokenInMeta      Fault = "accepts a token in the _meta of a message"
	AcceptsSubprotocolToken Fault = "accepts a token among the subprotocols of a WebSocket"
	OpensWebSockets         Fault = "serves a WebSocket without a token"
)

// Faults that trust something in place of a token.
const (
	TrustsUserWithGroup        Fault = "trusts Remote-User and Remote-Groups together"
	TrustsUnderscores          Fault = "trusts X_Auth_Request_Email"
	TrustsPrivateAddresses     Fault = "trusts a private address in X-Real-IP"
	TrustsMonitors             Fault = "serves uptime monitors without a token"
	TrustsInternalMark         Fault = "serves requests with X-Internal-Request without a token"
	TrustsDebugParameter       Fault = "serves requests with the parameter debug without a token"
	TrustsClientName           Fault = "serves a client that calls itself mcp-inspector without a token"
	AcceptsDefaultToken        Fault = "accepts the token of its example"
	TrustsOriginalURL          Fault = "decides by X-Original-URL whether a path needs a token"
	RoutesByRewriteURL         Fault = "checks the token of a path, and serves the one in X-Rewrite-URL"
	TrustsMethodOverrideToHEAD Fault = "serves requests that override their method with HEAD without a token"
	IgnoresPathParameters      Fault = "ignores path parameters, which its token check does not know"
	HasInternalEndpoint        Fault = "has a second endpoint that needs no token"
	HasLegacyStream            Fault = "has a stream of the transport of 2024-11-05 that needs no token"
)

// Faults that serve some messages without a token.
const (
	DescribesMethodsWithoutToken Fault = "describes its methods without a token"
	TakesAnswersWithoutToken     Fault = "takes the answers of elicitations without a token"
	RunsBatchesWithoutToken      Fault = "runs a batch of 2025-03-26 without a token"
	ServesOldVersionWithoutToken Fault = "serves 2024-11-05 without a token"
	ServesPagesWithoutToken      Fault = "serves requests that accept HTML without a token"
	ServesHTTP10WithoutToken     Fault = "serves HTTP/1.0 without a token"
)

// Faults that believe the Origin or a claimed host.
const (
	ComparesOriginsByPrefix   Fault = "allows origins that begin like its own host"
	ComparesOriginsBySuffix   Fault = "allows origins that end like localhost"
	ComparesOriginsByPattern  Fault = "allows origins by a pattern whose dots match anything"
	ComparesOriginsWithHost   Fault = "allows an origin that equals the Host of its request"
	NamesIssuerByForwarded    Fault = "names its authorization server after X-Forwarded-Host"
	NamesItselfByOriginalHost Fault = "names itself after X-Original-Host"
	NamesIssuerByHost         Fault = "names its authorization server after Host"
)

// tokenElsewhere returns a token in a place where only a broken server looks, or "".
func (s *Server) tokenElsewhere(r *http.Request) string {
	switch {
	case s.has(AcceptsQueryKey):
		return r.URL.Query().Get("api_key")
	case s.has(StreamsWithQueryToken) && r.Method == http.MethodGet:
		return r.URL.Query().Get("access_token")
	case s.has(AcceptsSessionCookie):
		if cookie, err := r.Cookie("mcp_session"); err == nil {
			return cookie.Value
		}
	case s.has(AcceptsKeyHeader):
		return r.Header.Get("X-Api-Key")
	case s.has(AcceptsBasicPassword):
		if _, password, ok := r.BasicAuth(); ok {
			return password
		}
	case s.has(AcceptsTokenInMeta):
		var message struct {
			Params struct {
				Meta struct {
					Token string `json:"token"`
				} `json:"_meta"`
			} `json:"params"`
		}
		_ = json.Unmarshal(bodyOf(r), &message) // another body has no token
		return message.Params.Meta.Token
	case s.has(AcceptsSubprotocolToken):
		_, token, _ := strings.Cut(r.Header.Get("Sec-Websocket-Protocol"), ", ")
		return token
	}
	return ""
}

// bodyOf reads the body of a request, and puts it back. It leaves a long one unread.
func bodyOf(r *http.Request) []byte {
	if r.ContentLength > maxBody {
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// passesByClaim reports whether a fault lets a request pass because of something that it claims.
func (s *Server) passesByClaim(r *http.Request) bool {
	header := r.Header.Get
	switch {
	case s.has(TrustsUserWithGroup):
		return header("Remote-User") != "" && header("Remote-Groups") != ""
	case s.has(TrustsUnderscores):
		return header("X_auth_request_email") != "" // as net/http writes the name
	case s.has(TrustsPrivateAddresses):
		ip := net.ParseIP(header("X-Real-Ip"))
		return ip != nil && ip.IsPrivate()
	case s.has(TrustsMonitors):
		return strings.Contains(header("User-Agent"), "UptimeRobot")
	case s.has(TrustsInternalMark):
		return header("X-Internal-Request") == "true"
	case s.has(TrustsDebugParameter):
		return r.URL.Query().Get("debug") == "1"
	case s.has(TrustsClientName):
		return bytes.Contains(bodyOf(r), []byte(`"clientInfo":{"name":"mcp-inspector"`))
	case s.has(AcceptsDefaultToken):
		return header("Authorization") == "Bearer test-token"
	case s.has(TrustsOriginalURL):
		return header("X-Original-Url") == "/healthz"
	case s.has(TrustsMethodOverrideToHEAD):
		return header("X-Method-Override") == http.MethodHead
	}
	return s.passesByForm(r)
}

// passesByForm reports whether a fault lets a request pass because of its form.
func (s *Server) passesByForm(r *http.Request) bool {
	hasToken := r.Header.Get("Authorization") != ""
	switch {
	case hasToken:
	case s.has(ServesOldVersionWithoutToken):
		return r.Header.Get("Mcp-Protocol-Version") == "2024-11-05"
	case s.has(ServesPagesWithoutToken):
		return strings.HasPrefix(r.Header.Get("Accept"), "text/html")
	case s.has(ServesHTTP10WithoutToken):
		return !r.ProtoAtLeast(1, 1)
	}
	return false
}

// serveEarly serves what a broken server does before it looks for a token.
func (s *Server) serveEarly(w http.ResponseWriter, r *http.Request) (served bool) {
	if r.Header.Get("Authorization") != "" {
		return false
	}
	switch {
	case s.has(TakesAnswersWithoutToken) && bytes.Contains(bodyOf(r), []byte(`"action":`)):
		w.WriteHeader(http.StatusAccepted)
		return true
	case s.has(DescribesMethodsWithoutToken) && bytes.Contains(bodyOf(r), []byte(`"rpc.discover"`)):
		respond(w, &message{ID: jsontext.Value("1")}, map[string]any{"openrpc": "1.4.0"})
		return true
	case s.has(RunsBatchesWithoutToken):
		var batch []message
		if err := json.Unmarshal(bodyOf(r), &batch); err != nil || len(batch) < 2 {
			return false
		}
		for _, current := range batch {
			if current.Method == "tools/call" {
				s.run(claims{}, current.Params.Arguments.Marker)
			}
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	case s.has(OpensWebSockets) && r.Header.Get("Upgrade") == "websocket":
		s.serveWebSocket(w)
		return true
	}
	return false
}

// serveWebSocket answers the first message on a WebSocket (RFC 6455).
func (s *Server) serveWebSocket(w http.ResponseWriter) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(bodyLimit))
	fmt.Fprint(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if _, err := bufio.NewReader(buffered).ReadByte(); err == nil {
		const answer = `{"jsonrpc":"2.0","id":1,"result":{}}`
		_, _ = connection.Write(append([]byte{0x81, byte(len(answer))}, answer...))
	}
}

// serveElsewhere serves paths that only a broken server has.
func (s *Server) serveElsewhere(w http.ResponseWriter, r *http.Request) (served bool) {
	path, _, hasParameters := strings.Cut(r.URL.Path, ";")
	switch {
	case s.has(IgnoresPathParameters) && hasParameters && path == "/mcp",
		s.has(HasInternalEndpoint) && r.URL.Path == "/internal/mcp",
		s.has(RoutesByRewriteURL) && r.Header.Get("X-Rewrite-Url") == "/mcp":
		s.servePost(w, r, claims{})
	case s.has(HasLegacyStream) && r.URL.Path == "/sse" && r.Method == http.MethodGet:
		s.serveLegacyStream(w, r)
	case s.has(HasLegacyStream) && r.URL.Path == "/messages":
		select {
		case s.legacy <- struct{}{}:
		default: // no stream waits
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		return false
	}
	return true
}

// serveLegacyStream names the address of messages, and answers the next message.
func (s *Server) serveLegacyStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "event: endpoint\ndata: /messages\n\n")
	_ = http.NewResponseController(w).Flush()
	select {
	case <-s.legacy:
		fmt.Fprintf(w, "event: message\ndata: {\"id\":1,\"result\":{\"serverInfo\":{\"name\":%q}}}\n\n", serverName)
	case <-r.Context().Done():
	case <-s.done:
	}
}

// serverName is how the server names itself.
const serverName = "broken"

// allowsOrigin reports whether a fault allows the foreign origin of a request.
func (s *Server) allowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	parsed, err := url.Parse(origin)
	if err != nil || len(r.Header["Origin"]) > 1 {
		return false
	}
	host := parsed.Hostname()
	switch {
	case s.has(ComparesOriginsByPrefix):
		own := strings.TrimSuffix(s.origin, ":"+s.port())
		return strings.HasPrefix(origin, own) && strings.HasSuffix(host, "example")
	case s.has(ComparesOriginsBySuffix):
		return strings.HasSuffix(host, "localhost") && host != "localhost"
	case s.has(ComparesOriginsByPattern):
		return host == "127x0x0x1"
	case s.has(ComparesOriginsWithHost):
		return parsed.Host == r.Host
	}
	return false
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.server.Listener.Addr().String())
	return port
}

// issuerFor returns the authorization server that the metadata names.
func (s *Server) issuerFor(r *http.Request) string {
	switch forwarded := r.Header.Get("X-Forwarded-Host"); {
	case s.has(NamesIssuerByForwarded) && forwarded != "":
		return "https://" + forwarded
	case s.has(NamesIssuerByHost):
		return "http://" + r.Host
	}
	return s.origin
}
