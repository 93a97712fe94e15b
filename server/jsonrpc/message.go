package jsonrpc

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what Decode accepts.
const (
	// MaxDepth is how deep arrays and objects may be nested. Arguments of tools need far less.
	MaxDepth = 64
	// MaxBatch is how many messages a batch may have.
	MaxBatch = 50
)

// A Message is one decoded message. The fields may share memory, so do not change their bytes.
type Message struct {
	// Encoded is the canonical encoding of the message.
	Encoded jsontext.Value
	// Method is nil for a response.
	Method []byte
	// ID is nil for a notification.
	ID jsontext.Value
}

// IsRequest reports whether the message asks for a response.
func (m *Message) IsRequest() bool { return m.Method != nil && m.ID != nil }

// Is reports whether the message is a request or notification of the method.
func (m *Message) Is(method string) bool { return string(m.Method) == method }

// Decode reads one message into single, or returns the messages of a batch (2025-03-26). It may
// overwrite the body with its canonical encoding, and the messages are parts of it. The error is
// for the caller: its text holds nothing of the body.
func Decode(body []byte, single *Message) (batch []*Message, refused *Error) {
	value := jsontext.Value(body)
	if isPlain(value) {
		return nil, single.decode(value)
	}
	err := value.Compact(
		jsontext.AllowDuplicateNames(false),
		jsontext.AllowInvalidUTF8(false),
		jsontext.PreserveRawStrings(false),
	)
	if err != nil {
		return nil, &Error{
			Code:    CodeParse,
			Message: "the body is not strict JSON: duplicate names and invalid UTF-8 are refused",
		}
	}
	if depth(value) > MaxDepth {
		return nil, &Error{
			Code:    CodeParse,
			Message: fmt.Sprintf("the body is nested too deep: at most %d levels are read", MaxDepth),
		}
	}
	if value.Kind() == '[' {
		return decodeBatch(value)
	}
	return nil, single.decode(value)
}

func decodeBatch(value jsontext.Value) (batch []*Message, refused *Error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	if _, err := decoder.ReadToken(); err != nil {
		return nil, &Error{Code: CodeParse, Message: "the batch cannot be read"}
	}
	for decoder.PeekKind() != ']' {
		element, err := decoder.ReadValue()
		if err != nil {
			return nil, &Error{Code: CodeParse, Message: "the batch cannot be read"}
		}
		if len(batch) == MaxBatch {
			return nil, invalid(fmt.Sprintf("the batch has more than %d messages", MaxBatch), nil)
		}
		m := &Message{}
		if refused := m.decode(element.Clone()); refused != nil {
			return nil, refused
		}
		if m.Is("initialize") {
			return nil, invalid("initialize cannot be part of a batch", nil)
		}
		batch = append(batch, m)
	}
	if len(batch) == 0 {
		return nil, invalid("the batch is empty", nil)
	}
	return batch, nil
}

// ReadResponse reports whether a text is the response to the request with an ID, and returns its
// canonical encoding. It overwrites the text. Names below the top level may repeat, because the
// text is the handler's own and nothing is decided by them.
func ReadResponse(text []byte, id jsontext.Value) (response jsontext.Value, found bool) {
	response = bytes.TrimSpace(text)
	// A response may spell a string ID with other escapes than the request.
	if response.Compact(jsontext.PreserveRawStrings(false)) != nil {
		return nil, false
	}
	var m Message
	if m.decode(response) != nil || m.Method != nil || !bytes.Equal(m.ID, id) {
		return nil, false
	}
	return response, true
}

// decode reads the message from a canonical text.
func (m *Message) decode(value jsontext.Value) *Error {
	var few [8]member
	read, err := readMembers(few[:0], value, rpcNames)
	if err != nil {
		return invalid("the message is not a JSON-RPC object, or has a name that differs from another only by case",
			nil)
	}
	m.Encoded = value
	id, hasID := read.get("id")
	if hasID && id.Kind() != 'n' {
		if id.Kind() != '"' && id.Kind() != '0' {
			return invalid("the id is neither a string nor a number", nil)
		}
		m.ID = id
	}
	if version, found := read.get("jsonrpc"); !found || string(version) != `"2.0"` {
		return invalid(`jsonrpc is not "2.0"`, m.ID)
	}
	_, hasResult := read.get("result")
	_, hasError := read.get("error")
	method, hasMethod := read.get("method")
	switch {
	case hasMethod && (hasResult || hasError):
		return invalid("the message is a request and a response at once", m.ID)
	case hasMethod:
		if method.Kind() == '"' {
			m.Method, _ = unquoted(method)
		}
		if len(m.Method) == 0 {
			return invalid("the method is not a name", m.ID)
		}
		if hasID && id.Kind() == 'n' {
			return invalid("the id of a request cannot be null", nil)
		}
	case hasResult == hasError:
		return invalid("the message is neither a request nor a response", m.ID)
	}
	if params, found := read.get("params"); found && checkParams(params) != nil {
		return invalid("params is not an object, or has a name that differs from another only by case", m.ID)
	}
	return nil
}

func invalid(message string, id jsontext.Value) *Error {
	return &Error{Code: CodeInvalidRequest, Message: message, ID: id}
}

// checkParams checks the names in params and in _meta, which names the protocol revision. It does
// not check the arguments: their names are the tool's.
func checkParams(params jsontext.Value) error {
	var few [8]member
	read, err := readMembers(few[:0], params, paramNames)
	if err != nil {
		return err
	}
	if meta, found := read.get("_meta"); found && meta.Kind() == '{' {
		var inside [8]member
		_, err = readMembers(inside[:0], meta, nil)
	}
	return err
}
