package guard

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

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

// message is one JSON-RPC message as the guard understood it. Its parts may be parts of one text,
// which nobody may change.
type message struct {
	encoded jsontext.Value // what is handed on
	method  []byte         // nil for a response
	id      jsontext.Value // nil for a notification
}

// isRequest reports whether the message will be answered.
func (m *message) isRequest() bool { return m.method != nil && m.id != nil }

// is reports whether the message calls a method, or notifies of it.
func (m *message) is(method string) bool { return string(m.method) == method }

// rpcError is a message that is refused.
type rpcError struct {
	code    int
	message string
	id      jsontext.Value
}

// decodeBody reads a strict JSON-RPC message into single, or a batch of them, which is nil where
// there is one message alone.
func decodeBody(body []byte, single *message) (batch []*message, refused *rpcError) {
	value := jsontext.Value(body)
	if isPlain(value) {
		return nil, single.decode(value)
	}
	// The re-encoding: no blanks, one spelling for each string. Duplicate names and invalid UTF-8
	// end here.
	if err := value.Compact(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false), jsontext.PreserveRawStrings(false)); err != nil {
		return nil, &rpcError{
			code:    codeParse,
			message: "the body is not strict JSON: duplicate names and invalid UTF-8 are refused",
		}
	}
	if depth(value) > maxDepth {
		return nil, &rpcError{code: codeParse, message: "the body is nested too deep"}
	}
	if value.Kind() != '[' {
		return nil, single.decode(value)
	}
	return decodeBatch(value)
}

func decodeBatch(value jsontext.Value) (batch []*message, refused *rpcError) {
	dec := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := dec.ReadToken(); err != nil {
		return nil, &rpcError{code: codeParse, message: "the batch cannot be read"}
	}
	for dec.PeekKind() != ']' {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, &rpcError{code: codeParse, message: "the batch cannot be read"}
		}
		if len(batch) == maxBatch {
			return nil, &rpcError{code: codeInvalidRequest, message: "the batch has more than 50 messages"}
		}
		m := &message{}
		if refused := m.decode(element.Clone()); refused != nil {
			return nil, refused
		}
		if m.is("initialize") {
			return nil, &rpcError{code: codeInvalidRequest, message: "initialize cannot be part of a batch"}
		}
		batch = append(batch, m)
	}
	if len(batch) == 0 {
		return nil, &rpcError{code: codeInvalidRequest, message: "the batch is empty"}
	}
	return batch, nil
}

// rpcNames and paramNames are the names that decide what a message does. A reader that ignores case
// would take "Method" for one of them.
var (
	rpcNames   = bytes.Fields([]byte("jsonrpc id method params result error"))
	paramNames = bytes.Fields(
		[]byte(
			"_meta name arguments uri ref argument cursor level protocolVersion capabilities clientInfo taskId requestId requestState inputResponses",
		),
	)
)

// decode reads the message from a text that is plain, or re-encoded.
func (m *message) decode(value jsontext.Value) *rpcError {
	var few [8]member
	read, err := readMembers(few[:0], value, rpcNames)
	if err != nil {
		return &rpcError{
			code:    codeInvalidRequest,
			message: "the message is no JSON-RPC object, or has a name in another case beside a known one",
		}
	}
	m.encoded = value
	if id, there := read.get("id"); there && id.Kind() != 'n' {
		if kind := id.Kind(); kind != '"' && kind != '0' {
			return &rpcError{code: codeInvalidRequest, message: "the id is neither a string nor a number"}
		}
		m.id = id
	}
	if version, there := read.get("jsonrpc"); !there || string(version) != `"2.0"` {
		return &rpcError{code: codeInvalidRequest, message: "jsonrpc is not \"2.0\"", id: m.id}
	}
	_, result := read.get("result")
	_, failure := read.get("error")
	method, there := read.get("method")
	switch {
	case there && (result || failure):
		return &rpcError{code: codeInvalidRequest, message: "the message is a request and a response at once", id: m.id}
	case there:
		if method.Kind() == '"' {
			m.method, _ = unquoted(method)
		}
		if len(m.method) == 0 {
			return &rpcError{code: codeInvalidRequest, message: "the method is not a name", id: m.id}
		}
		if id, there := read.get("id"); there && id.Kind() == 'n' {
			return &rpcError{code: codeInvalidRequest, message: "the id of a request cannot be null"}
		}
	case result == failure:
		return &rpcError{code: codeInvalidRequest, message: "the message is neither a request nor a response", id: m.id}
	}
	if params, there := read.get("params"); there {
		if err := checkParams(params); err != nil {
			return &rpcError{
				code:    codeInvalidRequest,
				message: "params is no object, or has a name in another case beside a known one",
				id:      m.id,
			}
		}
	}
	return nil
}

// checkParams looks one level down, and into _meta, which names the protocol revision. Arguments
// belong to the tool, whose names may be anything.
func checkParams(params jsontext.Value) error {
	var few [8]member
	read, err := readMembers(few[:0], params, paramNames)
	if err != nil {
		return err
	}
	if meta, there := read.get("_meta"); there && meta.Kind() == '{' {
		var inside [8]member
		_, err = readMembers(inside[:0], meta, nil)
	}
	return err
}

// member is a member of a JSON object.
type member struct {
	name  []byte
	value jsontext.Value
}

// members are those of an object. There are few, and their order is that of the message.
type members []member

func (m members) get(name string) (jsontext.Value, bool) {
	for _, one := range m {
		if string(one.name) == name {
			return one.value, true
		}
	}
	return nil, false
}

// fewMembers is how many names are compared each with each; beyond, a map costs less.
const fewMembers = 16

// readMembers appends the members of an object to read, whose names are neither case variants of
// the known ones nor of each other. The text is plain or re-encoded: it is valid, and there are no
// blanks between its parts. Names and values are parts of it, which nobody may change.
func readMembers(read members, value jsontext.Value, known [][]byte) (members, error) {
	if value.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	for at := 1; value[at] != '}'; {
		if value[at] == ',' {
			at++
		}
		colon := at + partLength(value[at:])
		name, err := memberName(value[at:colon], known)
		if err != nil {
			return nil, err
		}
		at = colon + 1 + partLength(value[colon+1:])
		read = append(read, member{name, value[colon+1 : at]})
	}
	if haveTwins(read) {
		return nil, errors.New("a name in another case")
	}
	return read, nil
}

// memberName is what a quoted name says, which is no case variant of a known one.
func memberName(quoted jsontext.Value, known [][]byte) ([]byte, error) {
	name, err := unquoted(quoted)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if alike(k, name) {
			if !bytes.Equal(k, name) {
				return nil, errors.New("a name in another case")
			}
			break
		}
	}
	return name, nil
}

// alike reports whether two names are equal for a reader that ignores case, the long s and the
// Kelvin sign included. Most differ in their first letters.
func alike(a, b []byte) bool {
	if len(a) > 0 && len(b) > 0 && a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf && a[0]|' ' != b[0]|' ' {
		return false
	}
	return bytes.EqualFold(a, b)
}

// unquoted is what a string of valid JSON says. It may be part of it.
func unquoted(quoted jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	return jsontext.AppendUnquote(nil, quoted)
}

// partLength is the length of the name or value that a rest of compact JSON begins with: up to the
// colon, comma or bracket that is not inside of it.
func partLength(rest jsontext.Value) int {
	open := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			i += stringLength(rest[i:]) - 1
		case '{', '[':
			open++
		case ':', ',':
			if open == 0 {
				return i
			}
		case '}', ']':
			if open == 0 {
				return i
			}
			open--
		}
	}
	return len(rest)
}

// stringLength is the length of the quoted string that a rest of valid JSON begins with.
func stringLength(rest jsontext.Value) int {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(rest)
}

// haveTwins reports whether two names are alike.
func haveTwins(read members) bool {
	if len(read) <= fewMembers {
		for i, one := range read {
			if slices.ContainsFunc(read[:i], func(other member) bool { return alike(one.name, other.name) }) {
				return true
			}
		}
		return false
	}
	folded := make(map[string]bool, len(read))
	for _, one := range read {
		name := strings.ToLower(strings.ToUpper(string(one.name)))
		if folded[name] {
			return true
		}
		folded[name] = true
	}
	return false
}

// depth is how deep the arrays and objects of a valid JSON text are nested.
func depth(value jsontext.Value) int {
	deepest := 0
	now := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += stringLength(value[i:]) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}

// refuseMessage answers with a JSON-RPC error, which clients read to learn what is wrong.
func (g *Guard) refuseMessage(w http.ResponseWriter, r *http.Request, refused *rpcError) {
	g.refuseRPC(w, r, http.StatusBadRequest, refused)
}

func (g *Guard) refuseRPC(w http.ResponseWriter, r *http.Request, status int, refused *rpcError) {
	why := cause{reason: refused.message}
	switch refused.message {
	case sayNeedsSession:
		why.setting = "MCP_STATEFUL"
	case sayMaxCall:
		why.setting = "MCP_MAX_CALL"
	}
	g.logRefusal(r, status, why)
	w.Header()["Cache-Control"] = noStore
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
