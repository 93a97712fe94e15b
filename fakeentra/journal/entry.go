package journal

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/endpoint"
)

// An Exchange is a request and its answer, with their secrets. A journal keeps the form, so the
// caller must not change it afterwards.
type Exchange struct {
	Time     time.Time
	Endpoint endpoint.Name
	Request  *http.Request
	Form     url.Values // of the body
	Client   string     // application ID in the request, not verified
	Grant    string
	Fault    string // name of the fault that applied
	Status   int    // 0 if no answer was sent
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
	// Client is the application ID in the request, and Grant is the grant_type.
	Client string `json:"client,omitempty"`
	Grant  string `json:"grant,omitempty"`
	// Fault is the name of the fault that applied.
	Fault string `json:"fault,omitempty"`
	// Status is 0 if the connection was closed without an answer.
	Status int `json:"status"`
	// AADSTS is the number of the error in the answer.
	AADSTS int `json:"aadsts,omitempty"`
	// Location is the header Location of the answer.
	Location string `json:"location,omitempty"`
	// Page is the title of the answer, if it is a page.
	Page string `json:"page,omitempty"`
	// Answer is the body, if it is JSON. Public documents and long answers are left out.
	Answer string `json:"answer,omitempty"`
}

// Bounds of an entry.
const (
	maxValues = 100
	maxValue  = 2000 // bytes
	// MaxAnswer is the number of bytes that Exchange.Body needs at most.
	MaxAnswer = 16 << 10
)

// shownFields lists the header fields in a transcript.
var shownFields = []string{"Authorization", "Content-Type", "Origin", "Retry-After"}

// String returns the entry in the form of a transcript.
func (e Entry) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s %s%s\n", e.Number, e.Method, e.Host, e.Path)
	for _, name := range shownFields {
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

func sorted(params url.Values) []string { return slices.Sorted(maps.Keys(params)) }

// short cuts a value to maxValue bytes.
func short(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return strings.ToValidUTF8(value[:maxValue], "") + "…"
}
