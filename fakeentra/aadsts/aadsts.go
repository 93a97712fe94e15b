package aadsts

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Error is one answer of Entra ID that is not a success. Fill in what only the request knows
// before it is written.
type Error struct {
	Number       int
	Message      string // the sentence behind "AADSTSnnnn: "
	Code         string // the OAuth error code
	Status       int    // of the JSON answer; pages have status 200
	NoErrorURI   bool   // some answers lack error_uri
	Suberror     string
	Claims       string // a claims challenge: what a client has to ask for to get past this
	Unredirected bool   // has to be a page at the authorization endpoint, whatever is known of the client
}

func (e *Error) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.Number, e.Message) }

// An Occurrence is what makes one answer differ from another with the same number.
type Occurrence struct {
	TraceID       string
	CorrelationID string
	Time          time.Time
	Authority     string // scheme and host for error_uri
	Lines         bool   // in error_description, as before the autumn of 2023
}

// Description is the text of error_description: the sentence and where it happened, separated by
// blanks as Entra has written it since 2023, or in lines as before.
func (e *Error) Description(o Occurrence) string {
	separator := " "
	if o.Lines {
		separator = "\r\n"
	}
	return e.Error() + separator + "Trace ID: " + o.TraceID + separator + "Correlation ID: " + o.CorrelationID + separator + "Timestamp: " + o.timestamp()
}

// ErrorURI is the address of the page about the error, or "" where Entra was seen to give none (M:
// that all others have one).
func (e *Error) ErrorURI(o Occurrence) string {
	if e.NoErrorURI {
		return ""
	}
	return fmt.Sprintf("%s/error?code=%d", o.Authority, e.Number)
}

func (o Occurrence) timestamp() string { return o.Time.UTC().Format("2006-01-02 15:04:05Z") }

// body has its members in the order of the wire.
type body struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	ErrorURI      string `json:"error_uri,omitempty"`
	Suberror      string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

// JSON is the body of the error as the token endpoint sends it.
func (e *Error) JSON(o Occurrence) []byte {
	text, err := json.Marshal(body{
		Error:         e.Code,
		Description:   e.Description(o),
		Codes:         []int{e.Number},
		Timestamp:     o.timestamp(),
		TraceID:       o.TraceID,
		CorrelationID: o.CorrelationID,
		ErrorURI:      e.ErrorURI(o),
		Suberror:      e.Suberror,
		Claims:        e.Claims,
	})
	if err != nil {
		panic(err) // a struct of strings
	}
	return text
}

// AppendEscaped adds a query value to a text, written as Entra does: lower-case escapes, and a plus
// for a blank.
func AppendEscaped(to []byte, value string) []byte {
	const hexDigits = "0123456789abcdef"
	from := 0 // of what needs no escape
	for i := range len(value) {
		c := value[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-_.!*()", c) >= 0 {
			continue
		}
		to = append(to, value[from:i]...)
		from = i + 1
		if c == ' ' {
			to = append(to, '+')
		} else {
			to = append(to, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(to, value[from:]...)
}
