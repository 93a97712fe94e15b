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

// A Parameter is a parameter of an authorization response. The order of parameters matters on the
// wire.
type Parameter struct {
	Name  string
	Value string
}

// NoStore forbids caches to store a response (M: all three headers).
func NoStore(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-store, no-cache")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "-1")
}

//go:embed html/*.html
var pageFiles embed.FS

// html/template removes the comments of scripts. Scripts that read error pages look for these two.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"cdata":    func() template.JS { return "//<![CDATA[" },
	"cdataEnd": func() template.JS { return "//]]>" },
}).ParseFS(pageFiles, "html/*.html"))

// A Page is the data of a template. Each template uses some of the fields.
type Page struct {
	Title     string
	Place     string // name of the organization, or empty
	Client    string // name of the app, or empty
	Action    string // address of the form
	Accounts  []directory.User
	Hint      string // text in the field for another account
	Focus     string // account with the focus; empty means the field for another account
	User      *directory.User
	Scopes    []Permission
	Site      string // site of the redirect URI
	ForAll    bool   // consent for all users
	Problem   string // error message
	Redirect  string
	Result    []Parameter
	Frames    []string // addresses of hidden frames
	Error     *Error
	Documents []string // addresses of discovery documents
	Entry     *aadsts.Entry
	Known     string // confidence of the entry, in words
}

// A Permission is a permission on the consent page.
type Permission struct {
	Name  string
	Words string
}

// An Error is the visible part of an error page.
type Error struct {
	Message       string
	TraceID       string
	CorrelationID string
	Timestamp     string
	Number        int
	Config        ErrorConfig
}

// An ErrorConfig is the part of an error page that scripts read (M: the names of the numbers).
type ErrorConfig struct {
	Main        string `json:"strMainMessage"`
	Service     string `json:"strServiceExceptionMessage"`
	HTTPCode    int    `json:"iHttpErrorCode"`
	Code        int    `json:"iErrorCode"`
	Correlation string `json:"correlationId"`
	Session     string `json:"sessionId"`
}

// The Content-Security-Policy of pages. Two pages have inline scripts, like Entra ID's pages.
const (
	plainPolicy  = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
	scriptPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
		"frame-ancestors 'none'"
)

// policyOf returns the Content-Security-Policy of a page.
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

// ShowError answers with an error page like Entra ID's. Its status is 200, and a script variable
// holds the number. It has no link, because the redirect URI may be an attacker's.
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
				HTTPCode:    statusOf(problem),
				Code:        problem.Number,
				Correlation: o.CorrelationID,
				Session:     o.TraceID,
			},
		},
	})
}

// statusOf returns iHttpErrorCode. A page authenticates no client, so its number is not 401 (M).
func statusOf(problem *aadsts.Error) int {
	if problem.Status == http.StatusUnauthorized {
		return http.StatusBadRequest
	}
	return problem.Status
}

// Lookup returns the page about an error. The code is a number, or AADSTS and a number.
func Lookup(code string) Page {
	code = strings.TrimSpace(code)
	number, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(code), "AADSTS"))
	page := Page{Title: "Look up an error"}
	switch entry, found := aadsts.Lookup(number); {
	case code == "":
	case err != nil || !found:
		page.Problem = "The fake does not know this error."
	default:
		entry.Sentence = strings.ReplaceAll(entry.Sentence, "%s", "…")
		page.Title = "AADSTS" + strconv.Itoa(number)
		page.Entry = &entry
		page.Known = entry.Confidence.Words()
	}
	return page
}
