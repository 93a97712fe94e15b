package admin

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

// maxWait bounds the time that a request for the journal waits.
const maxWait = 10 * time.Minute

// The bounds of the clock. Tokens and JSON can hold times between them, and a duration can hold
// their distance from now.
const (
	minYear = 1970
	maxYear = 2200
)

// describe returns the settings that a client needs.
func (a *api) describe(*http.Request) (any, error) {
	type party struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	type tenant struct {
		ID      string   `json:"id"`
		Issuer  string   `json:"issuer"`
		Domains []string `json:"domains"`
		Apps    []party  `json:"apps"`
		Users   []party  `json:"users"`
	}
	answer := struct {
		Authority string    `json:"authority"`
		Graph     string    `json:"graph"`
		Now       time.Time `json:"now"`
		Tenants   []tenant  `json:"tenants"`
	}{Authority: a.fake.Authority(), Graph: a.fake.GraphURL(), Now: a.fake.Now()}
	for _, registered := range a.fake.Directory().Tenants {
		shown := tenant{
			ID:      registered.ID,
			Issuer:  a.fake.Issuer(registered.ID),
			Domains: append([]string{}, registered.Domains...),
			Apps:    []party{},
			Users:   []party{},
		}
		for _, app := range registered.Apps {
			shown.Apps = append(shown.Apps, party{app.ID, app.DisplayName})
		}
		for _, user := range registered.Users {
			shown.Users = append(shown.Users, party{user.ID, user.UserPrincipalName})
		}
		answer.Tenants = append(answer.Tenants, shown)
	}
	return answer, nil
}

// A tokenRequest is the JSON form of a fakeentra.Token.
type tokenRequest struct {
	Kind      fakeentra.Kind `json:"kind"`
	Tenant    string         `json:"tenant"`
	User      string         `json:"user"`
	Client    string         `json:"client"`
	API       string         `json:"api"`
	Scopes    []string       `json:"scopes"`
	Nonce     string         `json:"nonce"`
	Version   int            `json:"version"`
	Lifetime  string         `json:"lifetime"`
	Age       string         `json:"age"`
	Claims    map[string]any `json:"claims"`
	Header    map[string]any `json:"header"`
	Key       fakeentra.Key  `json:"key"`
	Algorithm string         `json:"algorithm"`
}

func readToken(r *http.Request) (fakeentra.Token, error) {
	var want tokenRequest
	if err := read(r, &want); err != nil {
		return fakeentra.Token{}, err
	}
	token := fakeentra.Token{
		Kind:      want.Kind,
		Tenant:    want.Tenant,
		User:      want.User,
		Client:    want.Client,
		API:       want.API,
		Scopes:    want.Scopes,
		Nonce:     want.Nonce,
		Version:   want.Version,
		Claims:    want.Claims,
		Header:    want.Header,
		Key:       want.Key,
		Algorithm: want.Algorithm,
	}
	lifetime, err := duration("lifetime", want.Lifetime)
	if err != nil {
		return token, err
	}
	token.Lifetime = lifetime
	token.Age, err = duration("age", want.Age)
	return token, err
}

func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: want a duration such as 1h30m, got %q", name, text)
	}
	return d, nil
}

func (a *api) mint(r *http.Request) (any, error) {
	want, err := readToken(r)
	if err != nil {
		return nil, err
	}
	raw, err := a.fake.Mint(want)
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": raw}, nil
}

func (a *api) badTokens(r *http.Request) (any, error) {
	good, err := readToken(r)
	if err != nil {
		return nil, err
	}
	return a.fake.BadTokens(good)
}

func (a *api) privateKey(r *http.Request) (any, error) {
	want, err := readToken(r)
	if err != nil {
		return nil, err
	}
	key, err := a.fake.PrivateKey(want)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return map[string]string{"privateKey": string(block)}, nil
}

func (a *api) servicePrincipals(*http.Request) (any, error) { return a.fake.ServicePrincipals(), nil }

func (a *api) faults(*http.Request) (any, error) { return a.fake.Script().All(), nil }

func (a *api) unusedFaults(*http.Request) (any, error) { return a.fake.Script().Unused(), nil }

// inject adds a fault, or a list of faults.
func (a *api) inject(r *http.Request) (any, error) {
	var raw json.RawMessage
	if err := read(r, &raw); err != nil {
		return nil, err
	}
	faults := make([]fault.Fault, 1)
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		err = json.Unmarshal(raw, &faults)
	} else {
		err = json.Unmarshal(raw, &faults[0])
	}
	if err != nil {
		return nil, fmt.Errorf("the body: %w", err)
	}
	if err := a.fake.Inject(faults...); err != nil {
		return nil, err
	}
	return a.fake.Script().All(), nil
}

func (a *api) clearFaults(r *http.Request) (any, error) {
	query := r.URL.Query()
	for name := range query {
		if name != "name" {
			return nil, fmt.Errorf("unknown parameter %q; want name, or no parameter", name)
		}
	}
	if !query.Has("name") {
		a.fake.Script().Clear()
		return nil, nil
	}
	if a.fake.Script().Remove(query.Get("name")) == 0 {
		return nil, fmt.Errorf("no fault has the name %q; GET /faults lists the faults", query.Get("name"))
	}
	return nil, nil
}

func (a *api) currentChaos(*http.Request) (any, error) {
	return map[string]float64{"share": a.fake.Script().Chaos().Share}, nil
}

func (a *api) keys(*http.Request) (any, error) { return a.fake.Keys(), nil }

func (a *api) chaos(r *http.Request) (any, error) {
	var want fault.Chaos
	if err := read(r, &want); err != nil {
		return nil, err
	}
	return nil, a.fake.Script().SetChaos(want)
}

func (a *api) rotate(r *http.Request) (any, error) {
	var want struct {
		Emergency bool `json:"emergency"`
	}
	if err := read(r, &want); err != nil {
		return nil, err
	}
	if want.Emergency {
		return nil, a.fake.EmergencyRotate()
	}
	return nil, a.fake.Rotate()
}

func (a *api) clock(*http.Request) (any, error) {
	return map[string]time.Time{"now": a.fake.Now()}, nil
}

func (a *api) setClock(r *http.Request) (any, error) {
	var want struct {
		Advance  string    `json:"advance"`
		Freeze   time.Time `json:"freeze"`
		Unfreeze bool      `json:"unfreeze"`
	}
	if err := read(r, &want); err != nil {
		return nil, err
	}
	by, err := duration("advance", want.Advance)
	from := a.fake.Now()
	if !want.Freeze.IsZero() {
		from = want.Freeze
	}
	switch target := from.Add(by); {
	case err != nil:
		return nil, err
	case want.Unfreeze && !want.Freeze.IsZero():
		return nil, errors.New("want freeze or unfreeze, got both")
	case !want.Unfreeze && want.Freeze.IsZero() && by == 0:
		return nil, errors.New("want advance, freeze or unfreeze")
	case target.Year() < minYear || target.Year() > maxYear:
		return nil, fmt.Errorf("want a time between the years %d and %d, got %s",
			minYear, maxYear, target.UTC().Format("2006-01-02"))
	case want.Unfreeze:
		a.fake.Unfreeze()
	case !want.Freeze.IsZero():
		a.fake.Freeze(want.Freeze)
	}
	a.fake.Advance(by)
	return a.clock(r)
}

// filter reads the filter of a journal request from its query.
func filter(r *http.Request) (journal.Filter, error) {
	query := r.URL.Query()
	for name := range query {
		switch name {
		case "endpoint", "client", "grant", "path", "status", "aadsts":
		default:
			return journal.Filter{}, fmt.Errorf(
				"unknown parameter %q; want endpoint, client, grant, path, status or aadsts", name)
		}
	}
	found := journal.Filter{
		Endpoint: endpoint.Name(query.Get("endpoint")),
		Client:   query.Get("client"),
		Grant:    query.Get("grant"),
		Path:     query.Get("path"),
	}
	for name, into := range map[string]*int{"status": &found.Status, "aadsts": &found.AADSTS} {
		if text := query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return found, fmt.Errorf("%s: want a number, got %q", name, text)
			}
			*into = n
		}
	}
	return found, checkEndpoint(found.Endpoint)
}

func checkEndpoint(name endpoint.Name) error {
	if name != "" && !name.Known() {
		return fmt.Errorf("unknown endpoint %q; want one of %v", name, endpoint.All())
	}
	return nil
}

func (a *api) journal(r *http.Request) (any, error) {
	selected, err := filter(r)
	if err != nil {
		return nil, err
	}
	return a.fake.Journal().Entries(selected), nil
}

func (a *api) transcript(r *http.Request) (any, error) {
	selected, err := filter(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, entry := range a.fake.Journal().Entries(selected) {
		out.WriteString(entry.String())
	}
	return text(out.String()), nil
}

func (a *api) take(r *http.Request) (any, error) {
	var want struct {
		journal.Filter
		Wait string `json:"wait"`
	}
	if err := read(r, &want); err != nil {
		return nil, err
	}
	wait, err := duration("wait", want.Wait)
	if err == nil && (wait < 0 || wait > maxWait) {
		err = fmt.Errorf("wait: want at most %v, got %v", maxWait, wait)
	}
	if err == nil {
		err = checkEndpoint(want.Endpoint)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	entry, err := a.fake.Journal().Take(ctx, want.Filter)
	if err != nil {
		return nil, errNotFound
	}
	return entry, nil
}

func (a *api) clearJournal(*http.Request) (any, error) {
	a.fake.Journal().Clear()
	return nil, nil
}

func (a *api) revoke(r *http.Request) (any, error) {
	var want struct {
		User  string                    `json:"user"`
		Event fakeentra.RevocationEvent `json:"event"`
		Delay string                    `json:"delay"`
	}
	if err := read(r, &want); err != nil {
		return nil, err
	}
	delay, err := duration("delay", want.Delay)
	if err != nil {
		return nil, err
	}
	return nil, a.fake.Revoke(fakeentra.Revocation{User: want.User, Event: want.Event, Delay: delay})
}

// tokenState tells a custom API whether a token is still valid.
func (a *api) tokenState(r *http.Request) (any, error) {
	var want struct {
		Token string `json:"token"`
	}
	if err := read(r, &want); err != nil {
		return nil, err
	}
	if want.Token == "" {
		return nil, errors.New("token: want an access token, got none")
	}
	return a.fake.TokenState(want.Token), nil
}

func (a *api) directory(*http.Request) (any, error) { return a.fake.Directory(), nil }

func (a *api) setDirectory(r *http.Request) (any, error) {
	var want directory.Directory
	if err := read(r, &want); err != nil {
		return nil, err
	}
	return nil, a.fake.SetDirectory(want)
}

func (a *api) reset(r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	a.fake.Reset()
	return nil, nil
}
