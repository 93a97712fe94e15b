package fakeentra

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/internal/rules"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// maxListed is how many accounts the sign-in page offers. Others can be typed.
const maxListed = 50

// A page is what the templates are given.
type page struct {
	Title     string
	Place     string // the organization, where it is known
	Client    string // the app's name, where it is known
	Action    string
	Accounts  []directory.User
	Hint      string
	Focus     string // the account that a keyboard begins at; empty means the field for another one
	User      *directory.User
	Scopes    []permission
	Goes      string // where the answer goes
	ForAll    bool   // consent for everybody
	Problem   string
	Redirect  string
	Result    []parameter
	Frames    []string
	Error     *pageError
	Documents []string
	Entry     *aadsts.Entry
	Known     string // how well the entry is
}

// A permission is one that a person is asked for.
type permission struct{ Name, Words string }

type pageError struct {
	Message, TraceID, CorrelationID, Timestamp string
	Number                                     int
	Config                                     errorConfig
}

// errorConfig is the part of an error page that scripts read (M: the names of the numbers vary).
type errorConfig struct {
	Main        string `json:"strMainMessage"`
	Service     string `json:"strServiceExceptionMessage"`
	HTTPCode    int    `json:"iHttpErrorCode"`
	Code        int    `json:"iErrorCode"`
	Correlation string `json:"correlationId"`
	Session     string `json:"sessionId"`
}

func (f *Fake) showSignIn(w http.ResponseWriter, r *http.Request, request *authorization, problem string) {
	data := page{
		Title:   "Sign in",
		Action:  f.action(request, "login"),
		Hint:    request.params.Get("login_hint"),
		Problem: problem,
	}
	for i := range f.directory.Tenants {
		tenant := &f.directory.Tenants[i]
		if request.place.Tenant == nil &&
			!(request.place.Segment == "organizations" && tenant.ID == directory.ConsumersTenantID) ||
			tenant == request.place.Tenant {
			data.Accounts = append(data.Accounts, tenant.Users...)
		}
	}
	data.Accounts = data.Accounts[:min(len(data.Accounts), maxListed)]
	if request.place.Tenant != nil {
		data.Place = request.place.Tenant.DisplayName
	}
	if typed := r.PostForm.Get("account"); problem != "" && typed != "" {
		data.Hint = typed
	}
	if request.client != nil {
		data.Client = request.client.DisplayName
	} else if app := f.rules.AnyApp(request.params.Get("client_id")); app != nil {
		data.Client = app.DisplayName // not judged yet
	}
	if len(data.Accounts) > 0 && problem == "" {
		data.Focus = data.Accounts[0].UserPrincipalName
		for _, user := range data.Accounts {
			if strings.EqualFold(user.UserPrincipalName, data.Hint) {
				data.Focus = user.UserPrincipalName
			}
		}
	}
	f.show(w, "signin.html", data)
}

func (f *Fake) showPassword(
	w http.ResponseWriter,
	_ *http.Request,
	request *authorization,
	user *directory.User,
	problem string,
) {
	f.show(w, "password.html", page{
		Title:   "Enter password",
		Action:  f.action(request, "login"),
		User:    user,
		Problem: problem,
	})
}

func (f *Fake) showSecondFactor(w http.ResponseWriter, _ *http.Request, request *authorization, user *directory.User) {
	f.show(w, "secondfactor.html", page{
		Title:  "Approve sign in request",
		Action: f.action(request, "secondfactor"),
		User:   user,
	})
}

func (f *Fake) showConsent(w http.ResponseWriter, _ *http.Request, request *authorization, user *directory.User) {
	var asked []permission
	add := func(name, words string) {
		if !slices.ContainsFunc(asked, func(one permission) bool { return one.Words == words }) {
			asked = append(asked, permission{name, words})
		}
	}
	for _, one := range request.asked.OIDC {
		add(one, rules.GraphApp.ScopeNamed(one).DisplayName)
	}
	for _, group := range request.asked.Groups {
		for _, name := range slices.Concat(group.Names, group.Implied) {
			if scope := group.App.ScopeNamed(name); scope != nil {
				add(name+" of "+group.App.DisplayName, cmp.Or(scope.DisplayName, scope.Name))
			}
		}
	}
	goes := ""
	if target, err := url.Parse(request.redirect); err == nil && target.Host != "" {
		goes = target.Scheme + "://" + target.Host
	}
	f.show(w, "consent.html", page{
		Title:  "Permissions requested",
		Place:  request.tenant.DisplayName,
		Client: request.client.DisplayName,
		Action: f.action(request, "consent"),
		User:   user,
		Scopes: asked,
		Goes:   goes,
		ForAll: request.kind == byAdmin,
	})
}

// action is the address of a page's form. It carries the authorization request.
func (f *Fake) action(request *authorization, step string) string {
	path := fmt.Sprintf("/%s/%s/v%d/%s", request.place.Segment, request.kind, request.version, step)
	return path + "?" + request.params.Encode()
}

func (f *Fake) showFormPost(w http.ResponseWriter, target string, result []parameter) {
	// The form goes to the client's site, and the script that sends it stands in the page, as at
	// Entra.
	f.showWith(w, "formpost.html", page{Title: "Working…", Redirect: target, Result: result},
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'")
}

// showError is Entra's error page: status 200, the number in a script variable, and no way back to
// an address that may not be the client's.
func (f *Fake) showError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	noteProblem(w, problem)
	o := f.occurrence(w, r)
	f.showWith(w, "error.html", page{Title: "Sign in to your account", Error: &pageError{
		Message: problem.Error(), Number: problem.Number, TraceID: o.TraceID, CorrelationID: o.CorrelationID,
		Timestamp: o.Time.UTC().Format("2006-01-02 15:04:05Z"),
		Config: errorConfig{
			Main: "We couldn't sign you in", Service: problem.Error(), HTTPCode: problem.Status, Code: problem.Number,
			Correlation: o.CorrelationID, Session: o.TraceID,
		},
	}}, "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'")
}

func (f *Fake) show(w http.ResponseWriter, name string, data page) {
	f.showWith(w, name, data, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
}

func (f *Fake) showWith(w http.ResponseWriter, name string, data page, policy string) {
	noStore(w)
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, name, data); err != nil {
		panic(err) // our own templates
	}
	_, _ = w.Write(text.Bytes())
}

func (f *Fake) handleFrontPage(w http.ResponseWriter, _ *http.Request) {
	f.show(w, "front.html", page{Title: "A fake of Microsoft Entra ID", Documents: f.discoveryAddresses()})
}

// discoveryAddresses are those of the discovery documents, for the page at the root.
func (f *Fake) discoveryAddresses() []string {
	var all []string
	for _, tenant := range f.directory.Tenants {
		all = append(all, f.authority+"/"+tenant.ID+"/v2.0/.well-known/openid-configuration")
	}
	return all
}
