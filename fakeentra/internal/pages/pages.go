package pages

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// A Parameter is a parameter of an authorization response. Their order is part of the wire.
type Parameter struct{ Name, Value string }

// NoStore sets the headers of responses that hold a secret (M: all of them).
func NoStore(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-store, no-cache")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "-1")
}

//go:embed html/*.html
var pageFiles embed.FS

var templates = template.Must(template.ParseFS(pageFiles, "html/*.html"))

// A Page is the data of a template. Each template uses some of the fields.
type Page struct {
	Title     string
	Place     string // the organization, where it is known
	Client    string // the app's name, where it is known
	Action    string
	Accounts  []directory.User
	Hint      string
	Focus     string // the account with the focus; empty means the field for another one
	User      *directory.User
	Scopes    []Permission
	Goes      string // the site that the answer goes to
	ForAll    bool   // consent for all users
	Problem   string
	Redirect  string
	Result    []Parameter
	Frames    []string
	Error     *Error
	Documents []string
	Entry     *aadsts.Entry
	Known     string // how certain the entry is
}

// A Permission is asked for on the consent page.
type Permission struct{ Name, Words string }

// An Error is the visible part of an error page.
type Error struct {
	Message, TraceID, CorrelationID, Timestamp string
	Number                                     int
	Config                                     ErrorConfig
}

// ErrorConfig is the part of an error page that scripts read (M: the names of the numbers vary).
type ErrorConfig struct {
	Main        string `json:"strMainMessage"`
	Service     string `json:"strServiceExceptionMessage"`
	HTTPCode    int    `json:"iHttpErrorCode"`
	Code        int    `json:"iErrorCode"`
	Correlation string `json:"correlationId"`
	Session     string `json:"sessionId"`
}

// What the browser may do with a page. Scripts are part of the page that they run in, as at Entra
// ID.
const (
	plainPolicy  = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
	scriptPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
		"frame-ancestors 'none'"
)

// policyOf is the Content-Security-Policy of a page.
func policyOf(name string, page *Page) string {
	switch {
	case name == "formpost.html", name == "error.html":
		return scriptPolicy
	case len(page.Frames) > 0:
		return plainPolicy + "; frame-src http: https:"
	}
	return plainPolicy
}

// Show answers with a page. Name is the file name of a template.
func Show(w http.ResponseWriter, name string, page Page) {
	NoStore(w)
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policyOf(name, &page))
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, page); err != nil {
		panic(err) // our own templates
	}
	_, _ = w.Write(text.Bytes())
}

// ShowError is Entra ID's error page: status 200, the number in a script variable, and no way back
// to an address that may not be the client's.
func ShowError(w http.ResponseWriter, problem *aadsts.Error, o aadsts.Occurrence) {
	Show(w, "error.html", Page{
		Title: "Sign in to your account",
		Error: &Error{
			Message:       problem.Error(),
			Number:        problem.Number,
			TraceID:       o.TraceID,
			CorrelationID: o.CorrelationID,
			Timestamp:     o.Time.UTC().Format("2006-01-02 15:04:05Z"),
			Config: ErrorConfig{
				Main:        "We couldn't sign you in",
				Service:     problem.Error(),
				HTTPCode:    problem.Status,
				Code:        problem.Number,
				Correlation: o.CorrelationID,
				Session:     o.TraceID,
			},
		},
	})
}

// Lookup is the page about an error. The number may stand alone or behind AADSTS.
func Lookup(code string) Page {
	code = strings.TrimSpace(code)
	number, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(code), "AADSTS"))
	page := Page{Title: "Look up an error"}
	switch entry, found := aadsts.Lookup(number); {
	case code == "":
	case err != nil || !found:
		page.Problem = "There is no such error here."
	default:
		entry.Sentence = strings.ReplaceAll(entry.Sentence, "%s", "…")
		page.Title = "AADSTS" + strconv.Itoa(number)
		page.Entry = &entry
		page.Known = entry.Confidence.Words()
	}
	return page
}
