package jsonrpc

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Error codes of JSON-RPC 2.0 section 5.1.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeInternal       = -32603
)

// An Error is the error of a JSON-RPC response.
type Error struct {
	// Code is one of the constants above, or a code that a server defines.
	Code int
	// Message is one sentence for the person who reads the client's log.
	Message string
	// ID is the request's ID. nil means that the request has no ID, or that it could not be read.
	ID jsontext.Value
	// Data says more about the error. nil leaves it out.
	Data any
}

func (e *Error) Error() string { return e.Message }

// Response encodes the error response. Where the request's ID is unknown, the response has null.
func (e *Error) Response() jsontext.Value {
	id := e.ID
	if id == nil {
		id = jsontext.Value("null")
	}
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitzero"`
	}
	response, err := json.Marshal(struct {
		Version string         `json:"jsonrpc"`
		ID      jsontext.Value `json:"id"`
		Error   detail         `json:"error"`
	}{"2.0", id, detail{e.Code, e.Message, e.Data}})
	if err != nil {
		return jsontext.Value(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}`)
	}
	return response
}
