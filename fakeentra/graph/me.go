package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

// A Config says where Graph's knowledge comes from. All fields are required.
type Config struct {
	// Caller judges a bearer token. Its error means that the token is not one for Graph.
	Caller func(ctx context.Context, token string) (*Caller, error)
	Now    func() time.Time
	NewID  func() string
}

// A Caller is the bearer of a token.
type Caller struct {
	User   *directory.User // nil for an app
	Scopes []string
}

// Handler serves /v1.0/me.
func Handler(config Config) http.Handler {
	g := &server{config}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/me", g.me)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, r, http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment '"+strings.TrimPrefix(r.URL.Path, "/v1.0/")+"'.")
	})
	return mux
}

type server struct{ Config }

// profile has the properties that Graph returns without $select, in its order; what is not known is null.
type profile struct {
	Context           string   `json:"@odata.context"`
	BusinessPhones    []string `json:"businessPhones"`
	DisplayName       string   `json:"displayName"`
	GivenName         *string  `json:"givenName"`
	JobTitle          *string  `json:"jobTitle"`
	Mail              *string  `json:"mail"`
	MobilePhone       *string  `json:"mobilePhone"`
	OfficeLocation    *string  `json:"officeLocation"`
	PreferredLanguage *string  `json:"preferredLanguage"`
	Surname           *string  `json:"surname"`
	PrincipalName     string   `json:"userPrincipalName"`
	ID                string   `json:"id"`
}

func (g *server) me(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		g.refuse(w, r, "Access token is empty.")
		return
	}
	caller, err := g.Caller(r.Context(), strings.TrimSpace(token))
	if err != nil {
		g.refuse(w, r, "Access token validation failure.")
		return
	}
	if caller.User == nil {
		g.fail(w, r, http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
		return
	}
	if !slices.Contains(caller.Scopes, "User.Read") {
		g.fail(w, r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		return
	}
	user := caller.User
	phones := user.BusinessPhones
	if phones == nil {
		phones = []string{}
	}
	write(w, http.StatusOK, profile{
		Context: "https://graph.microsoft.com/v1.0/$metadata#users/$entity", BusinessPhones: phones, DisplayName: user.DisplayName,
		GivenName: known(user.GivenName), JobTitle: known(user.JobTitle), Mail: known(user.Mail), MobilePhone: known(user.MobilePhone),
		OfficeLocation: known(user.OfficeLocation), PreferredLanguage: known(user.PreferredLanguage), Surname: known(user.Surname),
		PrincipalName: user.UserPrincipalName, ID: user.ID,
	})
}

func known(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func (g *server) refuse(w http.ResponseWriter, r *http.Request, message string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="`+directory.GraphAppID+`"`)
	g.fail(w, r, http.StatusUnauthorized, "InvalidAuthenticationToken", message)
}

func (g *server) fail(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	type inner struct {
		Date      string `json:"date"`
		RequestID string `json:"request-id"`
		ClientID  string `json:"client-request-id"`
	}
	type problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   inner  `json:"innerError"`
	}
	id := g.NewID()
	client := r.Header.Get("client-request-id")
	if !directory.IsGUID(client) {
		client = id
	}
	write(w, status, struct {
		Error problem `json:"error"`
	}{problem{code, message, inner{g.Now().UTC().Format("2006-01-02T15:04:05"), id, client}}})
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	w.Header().Set("Cache-Control", "private")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
