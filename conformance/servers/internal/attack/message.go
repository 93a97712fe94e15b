package attack

import (
	"encoding/json"
	"fmt"
	"net/http"

	"mcpentra/conformance/servers/internal/bench"
)

// JSON-RPC error codes; the first two are of MCP 2026-07-28.
const (
	CodeHeaderMismatch     = -32020
	CodeUnsupportedVersion = -32022
	CodeMethodNotFound     = -32601
)

// ErrorCode returns the code of a JSON-RPC error, or 0.
func ErrorCode(answer *bench.Answer) int {
	var message struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer.Body, &message) // a body without an error has no code
	return message.Error.Code
}

// ToolText returns the text of a tool's result, and whether the tool succeeded.
func ToolText(answer *bench.Answer) (text string, succeeded bool) {
	var message struct {
		Result *struct {
			IsError bool `json:"isError"`
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	err := json.Unmarshal(answer.Body, &message)
	if answer.Status != http.StatusOK || err != nil || message.Result == nil || message.Result.IsError {
		return "", false
	}
	for _, content := range message.Result.Content {
		text += content.Text
	}
	return text, true
}

// WithToken adds a token to a request.
func WithToken(token string, request bench.Request) bench.Request {
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

// Chunk writes text as one chunk (RFC 9112 section 7.1).
func Chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
