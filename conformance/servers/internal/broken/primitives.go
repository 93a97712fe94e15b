package broken

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Faults in lists, in other data, and in identifying the caller.
const (
	GatesToolsOnly      Fault = "checks scopes for tools only"
	ListsByConnection   Fault = "lists more on a used connection"
	SharesOwnLists      Fault = "marks a list of one user as public"
	HidesToolsOnly      Fault = "hides tools but runs them"
	HidesToolsByScope   Fault = "hides a tool from tokens without the scope, but runs it"
	TrustsArguments     Fault = "takes the caller's name from the arguments"
	TrustsMeta          Fault = "takes the caller's name from _meta"
	TrustsUserHeaders   Fault = "takes the caller's name from a header"
	SpeaksNewestOnly    Fault = "speaks MCP 2026-07-28 only" // not a fault
	StreamsInNewestOnly Fault = "speaks MCP 2026-07-28 only, and answers GET"
)

// hiddenTool belongs to goodUser, the user of good tokens. whoamiTool names its caller.
const (
	hiddenTool = "private"
	whoamiTool = "whoami"
	goodUser   = "a user"
)

// ListensOnNetwork is a fault in listening.
const ListensOnNetwork Fault = "listens on a network address"

// networkAddress simulates a network address, because tests listen on loopback only.
const networkAddress = "127.0.0.2"

// listenOnNetwork serves the server's port on that address too.
func (s *Server) listenOnNetwork() {
	_, port, err := net.SplitHostPort(s.server.Listener.Addr().String())
	if err != nil {
		panic(err) // our own address
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(networkAddress, port))
	if err != nil {
		panic(err) // as net/http/httptest does
	}
	s.network = listener
	go func() { _ = s.server.Config.Serve(listener) }()
}

// serveList answers a list. The list of tools depends on the caller.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request, request *message, caller claims) {
	entry := func(name string) map[string]any {
		return map[string]any{"name": name, "inputSchema": map[string]any{"type": "object"}}
	}
	result := map[string]any{"cacheScope": "private"}
	switch request.Method {
	case "tools/list":
		tools := []any{entry(toolName)}
		if s.has(NamesToolsLikeErrors) {
			tools = append(tools, entry("error"))
		}
		if caller.Subject == goodUser && (!s.has(HidesToolsByScope) || s.mayCall(&caller)) {
			tools = append(tools, entry(hiddenTool))
		}
		if s.has(ListsByConnection) && connectionOf(r).called.Load() {
			tools = append(tools, entry("used"))
		}
		result["tools"] = tools
	case "prompts/list":
		result["prompts"] = []any{map[string]any{"name": "x"}}
	case "resources/list":
		result["resources"] = []any{map[string]any{"name": "x", "uri": listedURI}}
	}
	if s.has(SharesOwnLists) {
		result["cacheScope"] = "public"
	}
	respond(w, request, result)
}

// listedURI is the resource that the server lists.
const listedURI = "file:///listed"

// readResource reads the listed resource.
func (s *Server) readResource(w http.ResponseWriter, request *message) {
	if request.Params.URI != listedURI {
		fail(w, http.StatusOK, request, -32002, "unknown resource")
		return
	}
	respond(w, request, map[string]any{"contents": []any{map[string]string{"uri": listedURI, "text": "x"}}})
}

// runHidden runs the tool of one user.
func (s *Server) runHidden(w http.ResponseWriter, request *message, caller claims) {
	if caller.Subject != goodUser && !s.has(HidesToolsOnly) {
		fail(w, http.StatusOK, request, -32602, "unknown tool")
		return
	}
	respondText(w, request, "done", false)
}

// whoami names the caller.
func (s *Server) whoami(w http.ResponseWriter, r *http.Request, request *message, caller claims) {
	name := caller.Subject
	for _, claim := range []struct {
		fault Fault
		name  string
	}{
		{TrustsArguments, request.Params.Arguments.User},
		{TrustsMeta, request.Params.Meta.User},
		{TrustsUserHeaders, r.Header.Get("X-Forwarded-User")},
	} {
		if s.has(claim.fault) && claim.name != "" {
			name = claim.name
		}
	}
	respondText(w, request, name, false)
}

// signedMetadata signs the metadata.
func (s *Server) signedMetadata(resource string) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: signingKeyID}},
		nil,
	)
	if err != nil {
		panic(err) // our own key
	}
	claims := map[string]any{"iss": s.origin, "resource": resource, "jti": rand.Text()}
	if s.has(NamesNoSigner) {
		delete(claims, "iss")
	}
	if s.has(SignsWithoutResource) {
		delete(claims, "resource")
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err) // our own claims
	}
	return signed
}

// speaksNewestOnly reports whether the server refuses the handshake of the earlier revisions.
func (s *Server) speaksNewestOnly() bool {
	return s.has(SpeaksNewestOnly) || s.has(StreamsInNewestOnly) || s.has(StartsModernSessions)
}

// nameIn returns the name in the result of whoami.
func nameIn(result []byte) string {
	var told struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if json.Unmarshal(result, &told) != nil || len(told.Content) == 0 {
		return ""
	}
	return told.Content[0].Text
}
