package broken

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A message is a JSON-RPC request, notification or response, with the members that the server
// reads.
type message struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      jsontext.Value `json:"id"`
	Method  string         `json:"method"`
	Params  params         `json:"params"`
	Result  jsontext.Value `json:"result"` // of a response
}

// isResponse reports whether the message is a response to a request of the server.
func (m *message) isResponse() bool { return m.Method == "" && len(m.ID) > 0 && len(m.Result) > 0 }

type params struct {
	Name      string `json:"name"`
	URI       string `json:"uri"`
	Revision  string `json:"protocolVersion"`
	Arguments struct {
		Marker string `json:"marker"`
		Handle string `json:"handle"`
		User   string `json:"user"`
	} `json:"arguments"`
	Answers map[string]jsontext.Value `json:"inputResponses"`
	State   string                    `json:"requestState"`
	Task    *struct{}                 `json:"task"`
	TaskID  string                    `json:"taskId"`
	Meta    struct {
		User     string `json:"user"`
		Revision string `json:"io.modelcontextprotocol/protocolVersion"`
		LogLevel string `json:"io.modelcontextprotocol/logLevel"`
	} `json:"_meta"`
}

// decodeMessage decodes JSON strictly: no member occurs twice, and none in another letter case.
func (s *Server) decodeMessage(body []byte) (*message, error) {
	if s.has(EndsNamesAtNUL) {
		body = bytes.ReplaceAll(body, []byte(`\u0000":`), []byte(`":`))
	}
	decoded := &message{}
	if s.has(ReadsMessagesLeniently) {
		return decoded, json.Unmarshal(body, decoded)
	}
	var members map[string]jsontext.Value
	if err := strict.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	for name := range members {
		if name != strings.ToLower(name) {
			return nil, errors.New("a member in another case")
		}
	}
	return decoded, strict.Unmarshal(body, decoded)
}

// isJSON reports whether a request declares a JSON body.
func (s *Server) isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return s.has(ChecksNoContentType) || err == nil && kind == "application/json"
}

var revisions = []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

const newest = "2026-07-28"

// isMirrored reports whether the headers of a 2026-07-28 request agree with its body.
func (s *Server) isMirrored(r *http.Request, request *message) bool {
	name := r.Header.Get("Mcp-Name")
	if inner, found := strings.CutPrefix(name, "=?base64?"); found {
		if text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(inner, "?=")); err == nil {
			name = string(text)
		}
	}
	return s.has(TrustsMirrorHeaders) || r.Header.Get("Mcp-Method") == request.Method && name == request.Params.Name &&
		r.Header.Get("Mcp-Protocol-Version") == newest && request.Params.Meta.Revision == newest
}

func respond(w http.ResponseWriter, request *message, result map[string]any) {
	write(
		w,
		http.StatusOK,
		map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(bytes.Clone(request.ID)), "result": result},
	)
}

func fail(w http.ResponseWriter, status int, request *message, code int, text string) {
	id := json.RawMessage(bytes.Clone(request.ID))
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	write(
		w,
		status,
		map[string]any{
			"jsonrpc": "2.0",
			"id":      id,
			"error":   map[string]any{"code": code, "message": text, "data": map[string]any{"supported": revisions}},
		},
	)
}
