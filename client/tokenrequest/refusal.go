package tokenrequest

import (
	"cmp"
	"mime"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/client/internal/printable"
)

// An Error is the refusal of a request (RFC 6749 section 5.2).
type Error struct {
	Status      int // of the HTTP response
	Code        string
	Description string
}

func (e *Error) Error() string {
	if e.Description == "" {
		return e.Code
	}
	return e.Code + ": " + e.Description
}

// A Refusal is the error in a response of an authorization server. Its texts are fit for a
// terminal.
type Refusal struct {
	// Code is empty if the response holds no error.
	Code, Description string
	// IsObject says that the error is an object, where RFC 6749 section 5.2 has a code. It may come
	// from a gateway, and then says nothing about the grant.
	IsObject bool
}

func (r Refusal) String() string {
	if r.Description == "" {
		return r.Code
	}
	return r.Code + ": " + r.Description
}

// ReadRefusal reads the error in a response: a JSON object (RFC 6749 section 5.2), or a form, which
// some servers send.
func ReadRefusal(contentType string, response []byte) Refusal {
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(response))
		if err != nil {
			return Refusal{}
		}
		return Refusal{
			Code:        printable.Text(form.Get("error")),
			Description: printable.Text(form.Get("error_description")),
		}
	}
	var members struct {
		Error       jsontext.Value `json:"error"`
		Description jsontext.Value `json:"error_description"`
	}
	if json.Unmarshal(response, &members) != nil {
		return Refusal{}
	}
	if members.Error.Kind() == '{' {
		return readErrorObject(members.Error)
	}
	return Refusal{
		Code:        printable.Text(textOf(members.Error)),
		Description: printable.Text(textOf(members.Description)),
	}
}

func readErrorObject(object jsontext.Value) Refusal {
	var members struct {
		Code    jsontext.Value `json:"code"`
		Type    jsontext.Value `json:"type"`
		Message jsontext.Value `json:"message"`
	}
	if json.Unmarshal(object, &members) != nil {
		return Refusal{Code: "error", IsObject: true}
	}
	code := cmp.Or(textOf(members.Code), textOf(members.Type), "error")
	return Refusal{Code: printable.Text(code), Description: printable.Text(textOf(members.Message)), IsObject: true}
}

// textOf returns a JSON string or number as text. It returns "" for other values.
func textOf(value jsontext.Value) string {
	var text string
	switch value.Kind() {
	case '"':
		if json.Unmarshal(value, &text) != nil {
			return ""
		}
		return text
	case '0':
		return string(value)
	}
	return ""
}

// isTemporary reports whether a refusal says that the server is overloaded or out of order. It then
// says nothing about the grant.
func isTemporary(status int, code string) bool {
	isBusy := status >= 500 || status == http.StatusTooManyRequests
	return isBusy || code == "temporarily_unavailable" || code == "server_error"
}
