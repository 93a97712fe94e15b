package aadsts

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Error is an error response of Entra ID.
type Error struct {
	Number     int
	Message    string // the sentence after "AADSTSnnnn: "
	Code       string // the OAuth error code
	Status     int    // HTTP status of the JSON answer; pages have status 200
	NoErrorURI bool   // the answer lacks error_uri
	Suberror   string
	// Claims is a claims challenge. A client that sends it as the parameter claims can get past the
	// error.
	Claims string
	// Unredirected errors are always a page at the authorization endpoint, even if the client is
	// known.
	Unredirected bool
	// AfterSignIn errors come at the authorization endpoint only once a person has signed in.
	AfterSignIn bool
}

// Later returns the error as one that comes after the sign-in.
func (e *Error) Later() *Error {
	e.AfterSignIn = true
	return e
}

func (e *Error) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.Number, e.Message) }

// An Occurrence holds the values that differ between two answers with the same number.
type Occurrence struct {
	TraceID       string
	CorrelationID string
	Time          time.Time
	Authority     string // scheme and host for error_uri
	Lines         bool   // writes error_description in lines, as before the autumn of 2023
}

// Description returns the text of error_description: the sentence, the IDs and the time. Blanks
// separate them, as at Entra ID since 2023, or line breaks as before.
func (e *Error) Description(o Occurrence) string {
	separator := " "
	if o.Lines {
		separator = "\r\n"
	}
	parts := []string{
		e.Error(),
		"Trace ID: " + o.TraceID,
		"Correlation ID: " + o.CorrelationID,
		"Timestamp: " + o.timestamp(),
	}
	return strings.Join(parts, separator)
}

// ErrorURI returns the address of the page about the error. It is empty for the errors that were
// recorded without one (M: all others have one).
func (e *Error) ErrorURI(o Occurrence) string {
	if e.NoErrorURI {
		return ""
	}
	return fmt.Sprintf("%s/error?code=%d", o.Authority, e.Number)
}

func (o Occurrence) timestamp() string { return o.Time.UTC().Format("2006-01-02 15:04:05Z") }

// A body has its members in the order of the wire.
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

// JSON returns the body of the error at the token endpoint.
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

// AppendEscaped appends a query value in Entra ID's form: lower-case escapes, and a plus for a
// blank.
func AppendEscaped(to []byte, value string) []byte {
	const hexDigits = "0123456789abcdef"
	from := 0 // start of the bytes that need no escape
	for i := range len(value) {
		c := value[i]
		if isAlphanumeric(c) || strings.IndexByte("-_.!*()", c) >= 0 {
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

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
