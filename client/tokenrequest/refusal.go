package tokenrequest

import (
	"cmp"
	"mime"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Refusal is the error in an answer of an authorization server, fit for a terminal.
type Refusal struct {
	// Code is empty if there is no error in the answer.
	Code, Description string
	// Odd says that the error is an object, where RFC 6749 section 5.2 wants a code. It may come
	// from a gateway, and says nothing about the grant.
	Odd bool
}

func (r Refusal) String() string {
	if r.Description == "" {
		return r.Code
	}
	return r.Code + ": " + r.Description
}

// ReadRefusal reads the error in an answer: a JSON object as in RFC 6749 section 5.2, or a form,
// which some servers send.
func ReadRefusal(contentType string, answer []byte) Refusal {
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(answer))
		if err != nil {
			return Refusal{}
		}
		return Refusal{Code: printable(form.Get("error")), Description: printable(form.Get("error_description"))}
	}
	var got struct {
		Error       jsontext.Value `json:"error"`
		Description jsontext.Value `json:"error_description"`
	}
	if json.Unmarshal(answer, &got) != nil {
		return Refusal{}
	}
	if got.Error.Kind() == '{' {
		return oddRefusal(got.Error)
	}
	return Refusal{Code: printable(word(got.Error)), Description: printable(word(got.Description))}
}

func oddRefusal(object jsontext.Value) Refusal {
	var inside struct {
		Code    jsontext.Value `json:"code"`
		Type    jsontext.Value `json:"type"`
		Message jsontext.Value `json:"message"`
	}
	if json.Unmarshal(object, &inside) != nil {
		return Refusal{Code: "error", Odd: true}
	}
	code := cmp.Or(word(inside.Code), word(inside.Type), "error")
	return Refusal{Code: printable(code), Description: printable(word(inside.Message)), Odd: true}
}

// word is a string or number of JSON as text, and empty for anything else.
func word(value jsontext.Value) string {
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
