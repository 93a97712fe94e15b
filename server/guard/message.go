package guard

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth is far above what arguments of tools need.
	maxDepth = 64
	// maxBatch is the most messages of a 2025-03-26 batch.
	maxBatch = 50
)

// JSON-RPC 2.0 section 5.1.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeInternal       = -32603
)

// message is one JSON-RPC message as the guard understood it.
type message struct {
	encoded jsontext.Value // what is handed on
	method  string         // "" for a response
	id      jsontext.Value // nil for a notification
}

// isRequest reports whether the message will be answered.
func (m *message) isRequest() bool { return m.method != "" && m.id != nil }

// rpcError is a message that is refused.
type rpcError struct {
	code    int
	message string
	id      jsontext.Value
}

// decodeBody reads a strict JSON-RPC message, or a batch of them.
func decodeBody(body []byte) (messages []*message, batch bool, refused *rpcError) {
	if err := checkDepth(body); err != nil {
		return nil, false, &rpcError{code: codeParse, message: "the body is not strict JSON, or nested too deep"}
	}
	value := jsontext.Value(body)
	// The re-encoding: no blanks, one spelling for each string. Duplicate names and invalid UTF-8
	// end here.
	if err := value.Compact(jsontext.PreserveRawStrings(false)); err != nil {
		return nil, false, &rpcError{code: codeParse, message: "the body is not strict JSON: duplicate names and invalid UTF-8 are refused"}
	}
	if value.Kind() != '[' {
		m, refused := decodeMessage(value)
		return []*message{m}, false, refused
	}
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := dec.ReadToken(); err != nil {
		return nil, true, &rpcError{code: codeParse, message: "the batch cannot be read"}
	}
	for dec.PeekKind() != ']' {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, true, &rpcError{code: codeParse, message: "the batch cannot be read"}
		}
		if len(messages) == maxBatch {
			return nil, true, &rpcError{code: codeInvalidRequest, message: "the batch has more than 50 messages"}
		}
		m, refused := decodeMessage(element.Clone())
		if refused != nil {
			return nil, true, refused
		}
		if m.method == "initialize" {
			return nil, true, &rpcError{code: codeInvalidRequest, message: "initialize cannot be part of a batch"}
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		return nil, true, &rpcError{code: codeInvalidRequest, message: "the batch is empty"}
	}
	return messages, true, nil
}

// rpcNames and paramNames are the names that decide what a message does. A reader that ignores case
// would take "Method" for one of them.
var (
	rpcNames   = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	paramNames = []string{"_meta", "name", "arguments", "uri", "ref", "argument", "cursor", "level", "protocolVersion", "capabilities", "clientInfo", "taskId", "requestId", "requestState", "inputResponses"}
)

func decodeMessage(value jsontext.Value) (*message, *rpcError) {
	members, err := readMembers(value, rpcNames)
	if err != nil {
		return nil, &rpcError{code: codeInvalidRequest, message: "the message is no JSON-RPC object, or has a name in another case beside a known one"}
	}
	m := &message{encoded: value}
	if id, there := members["id"]; there && id.Kind() != 'n' {
		if kind := id.Kind(); kind != '"' && kind != '0' {
			return nil, &rpcError{code: codeInvalidRequest, message: "the id is neither a string nor a number"}
		}
		m.id = id
	}
	if version, there := members["jsonrpc"]; !there || string(version) != `"2.0"` {
		return nil, &rpcError{code: codeInvalidRequest, message: "jsonrpc is not \"2.0\"", id: m.id}
	}
	_, result := members["result"]
	_, failure := members["error"]
	method, there := members["method"]
	switch {
	case there && (result || failure):
		return nil, &rpcError{code: codeInvalidRequest, message: "the message is a request and a response at once", id: m.id}
	case there:
		name, err := jsontext.AppendUnquote(nil, method)
		if method.Kind() != '"' || err != nil || len(name) == 0 {
			return nil, &rpcError{code: codeInvalidRequest, message: "the method is not a name", id: m.id}
		}
		m.method = string(name)
		if id, there := members["id"]; there && id.Kind() == 'n' {
			return nil, &rpcError{code: codeInvalidRequest, message: "the id of a request cannot be null"}
		}
	case result == failure:
		return nil, &rpcError{code: codeInvalidRequest, message: "the message is neither a request nor a response", id: m.id}
	}
	if params, there := members["params"]; there {
		if err := checkParams(params); err != nil {
			return nil, &rpcError{code: codeInvalidRequest, message: "params is no object, or has a name in another case beside a known one", id: m.id}
		}
	}
	return m, nil
}

// checkParams looks one level down, and into _meta, which names the protocol revision. Arguments
// belong to the tool, whose names may be anything.
func checkParams(params jsontext.Value) error {
	members, err := readMembers(params, paramNames)
	if err != nil {
		return err
	}
	if meta, there := members["_meta"]; there && meta.Kind() == '{' {
		_, err = readMembers(meta, nil)
	}
	return err
}

// readMembers reads an object whose names are neither case variants of the known ones nor of each
// other.
func readMembers(value jsontext.Value, known []string) (map[string]jsontext.Value, error) {
	if value.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	members, folded := make(map[string]jsontext.Value), make(map[string]bool)
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if slices.ContainsFunc(known, func(k string) bool { return k != key && strings.EqualFold(k, key) }) || folded[fold(key)] {
			return nil, errors.New("a name in another case")
		}
		folded[fold(key)] = true
		member, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		members[key] = member.Clone()
	}
	return members, nil
}

// fold makes names equal that a reader which ignores case could take for each other, the long s
// and the Kelvin sign included.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// checkDepth reads the whole body once without building anything of it.
func checkDepth(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := dec.ReadToken(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if dec.StackDepth() > maxDepth {
			return errors.New("nested too deep")
		}
	}
}

// refuseMessage answers with a JSON-RPC error, which clients read to learn what is wrong.
func (g *Guard) refuseMessage(w http.ResponseWriter, r *http.Request, refused *rpcError) {
	g.refuseRPC(w, r, http.StatusBadRequest, refused)
}

func (g *Guard) refuseRPC(w http.ResponseWriter, r *http.Request, status int, refused *rpcError) {
	g.log.Info("refused", "status", status, "reason", refused.message, "method", r.Method)
	writeJSON(w, status, errorResponse(refused))
}

func errorResponse(refused *rpcError) any {
	id := refused.id
	if id == nil {
		id = jsontext.Value("null")
	}
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return struct {
		Version string         `json:"jsonrpc"`
		ID      jsontext.Value `json:"id"`
		Error   detail         `json:"error"`
	}{"2.0", id, detail{refused.code, refused.message}}
}
