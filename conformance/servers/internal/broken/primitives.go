package broken

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Faults of lists, of what there is to read, and of who is taken for whom.
const (
	GatesToolsOnly      Fault = "wants a scope for tools only"
	ListsByConnection   Fault = "lists more on a connection that was used"
	SharesOwnLists      Fault = "says that anybody may keep a list that is one user's"
	HidesToolsOnly      Fault = "hides tools and runs them"
	BelievesArguments   Fault = "takes its caller for whom the arguments name"
	BelievesMeta        Fault = "takes its caller for whom _meta names"
	BelievesUserHeaders Fault = "takes its caller for whom a header names"
	SpeaksNewestOnly    Fault = "speaks MCP 2026-07-28 only" // which is none
	StreamsInNewestOnly Fault = "speaks MCP 2026-07-28 only, and answers GET"
)

// hiddenTool is one user's. whoamiTool tells a caller who that is.
const (
	hiddenTool = "private"
	whoamiTool = "whoami"
	firstUser  = "somebody"
)

// ListensBeside is a fault of where a server listens.
const ListensBeside Fault = "listens on an address that it should not"

// besideLoopback stands for an address in a network: no server listens beyond loopback.
const besideLoopback = "127.0.0.2"

// listenBeside serves at the server's port of that address too.
func (t *Server) listenBeside() {
	_, port, err := net.SplitHostPort(t.server.Listener.Addr().String())
	if err != nil {
		panic(err) // our own address
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(besideLoopback, port))
	if err != nil {
		panic(err) // as for the server's own
	}
	t.beside = listener
	go func() { _ = t.server.Config.Serve(listener) }()
}

// serveList answers a list. That of tools depends on the caller.
func (t *Server) serveList(w http.ResponseWriter, r *http.Request, request *message, caller claims) {
	entry := func(name string) map[string]any {
		return map[string]any{"name": name, "inputSchema": map[string]any{"type": "object"}}
	}
	result := map[string]any{"cacheScope": "private"}
	switch request.Method {
	case "tools/list":
		tools := []any{entry(toolName)}
		if caller.Subject == firstUser {
			tools = append(tools, entry(hiddenTool))
		}
		if t.has(ListsByConnection) && connectionOf(r).called.Load() {
			tools = append(tools, entry("used"))
		}
		result["tools"] = tools
	case "prompts/list":
		result["prompts"] = []any{map[string]any{"name": "x"}}
	case "resources/list":
		result["resources"] = []any{map[string]any{"name": "x", "uri": "file:///x"}}
	}
	if t.has(SharesOwnLists) {
		result["cacheScope"] = "public"
	}
	respond(w, request, result)
}

// runHidden runs the tool that is one user's.
func (t *Server) runHidden(w http.ResponseWriter, request *message, caller claims) {
	if caller.Subject != firstUser && !t.has(HidesToolsOnly) {
		fail(w, http.StatusOK, request, -32602, "no such tool")
		return
	}
	respondText(w, request, "done", false)
}

// whoami tells a caller who that is.
func (t *Server) whoami(w http.ResponseWriter, r *http.Request, request *message, caller claims) {
	name := caller.Subject
	for fault, claimed := range map[Fault]string{
		BelievesArguments:   request.Params.Arguments.User,
		BelievesMeta:        request.Params.Meta.User,
		BelievesUserHeaders: r.Header.Get("X-Forwarded-User"),
	} {
		if t.has(fault) && claimed != "" {
			name = claimed
		}
	}
	respondText(w, request, name, false)
}

// signedMetadata is what the metadata says, signed.
func (t *Server) signedMetadata(resource string) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: t.key, KeyID: signingKeyID}},
		nil,
	)
	if err != nil {
		panic(err) // our own key
	}
	claims := map[string]any{"iss": t.origin, "resource": resource, "jti": rand.Text()}
	if t.has(NamesNoSigner) {
		delete(claims, "iss")
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err) // our own claims
	}
	return signed
}

// speaksNewestOnly reports whether the server refuses the handshake of the revisions before.
func (t *Server) speaksNewestOnly() bool {
	return t.has(SpeaksNewestOnly) || t.has(StreamsInNewestOnly)
}

// nameIn is the name in the result of whoami.
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
