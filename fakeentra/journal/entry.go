package journal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/endpoint"
)

// An Exchange is a request and its answer as they were, secrets included. A journal keeps the form,
// which is not to be changed afterwards.
type Exchange struct {
	Time     time.Time
	Endpoint endpoint.Name
	Request  *http.Request
	Form     url.Values // of the body
	Client   string     // application ID, as far as the request tells
	Grant    string
	Fault    string // what was made to go wrong
	Status   int    // 0 when no answer was sent
	AADSTS   int
	Header   http.Header // of the answer
	Body     []byte      // of the answer, or its beginning
}

// An Entry is an exchange with its secrets masked.
type Entry struct {
	Number   int           `json:"number"` // from 1
	Time     time.Time     `json:"time"`   // by the fake's clock
	Endpoint endpoint.Name `json:"endpoint"`
	Method   string        `json:"method"`
	Host     string        `json:"host"`
	Path     string        `json:"path"`
	Query    url.Values    `json:"query,omitempty"`
	Form     url.Values    `json:"form,omitempty"`
	Header   http.Header   `json:"header,omitempty"`
	// Client is the application ID of the client, as far as the request tells; Grant the
	// grant_type.
	Client string `json:"client,omitempty"`
	Grant  string `json:"grant,omitempty"`
	// Fault is what was made to go wrong.
	Fault string `json:"fault,omitempty"`
	// Status is 0 when the connection was closed without an answer.
	Status int `json:"status"`
	// AADSTS is the number of the error that was answered.
	AADSTS int `json:"aadsts,omitempty"`
	// Location is where the answer led.
	Location string `json:"location,omitempty"`
	// Page is the title of an answer that was a page.
	Page string `json:"page,omitempty"`
	// Answer is an answer that was JSON; public documents and long answers are left out.
	Answer string `json:"answer,omitempty"`
}

// How much of a request is kept.
const (
	maxValues = 100
	maxValue  = 2000 // bytes
	// MaxAnswer is how many bytes of an answer have to be kept for Exchange.Body.
	MaxAnswer = 16 << 10
)

// told are the header fields that a transcript shows.
var told = []string{"Authorization", "Content-Type", "Origin", "Retry-After"}

// String is the exchange as a transcript shows it.
func (e Entry) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s %s%s\n", e.Number, e.Method, e.Host, e.Path)
	for _, name := range told {
		if value := e.Header.Get(name); value != "" {
			fmt.Fprintf(&text, "  %s: %s\n", name, value)
		}
	}
	for _, params := range []url.Values{e.Query, e.Form} {
		for _, name := range sorted(params) {
			for _, value := range params[name] {
				fmt.Fprintf(&text, "  %s=%s\n", name, value)
			}
		}
	}
	if e.Fault != "" {
		fmt.Fprintf(&text, "! %s\n", e.Fault)
	}
	if e.Status == 0 {
		text.WriteString("= no answer\n")
		return text.String()
	}
	fmt.Fprintf(&text, "= %d", e.Status)
	if e.AADSTS != 0 {
		fmt.Fprintf(&text, " AADSTS%d", e.AADSTS)
	}
	if e.Page != "" {
		fmt.Fprintf(&text, " page: %s", e.Page)
	}
	text.WriteByte('\n')
	if e.Location != "" {
		fmt.Fprintf(&text, "  to %s\n", e.Location)
	}
	if e.Answer != "" {
		fmt.Fprintf(&text, "  %s\n", e.Answer)
	}
	return text.String()
}

func sorted(params url.Values) []string {
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// short bounds a value.
func short(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return strings.ToValidUTF8(value[:maxValue], "") + "…"
}
