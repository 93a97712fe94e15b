package portal

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A tokensView is the page of tokens.
type tokensView struct {
	frame
	Form    url.Values // of the request, so that a mistake loses nothing
	Users   []directory.User
	Apps    []directory.App
	APIs    []directory.App
	Minted  string
	Decoded *decoded
	Bad     []fakeentra.BadToken
}

// showTokens shows the forms that mint and decode.
func (p *portal) showTokens(w http.ResponseWriter, r *http.Request) error {
	return p.showTokensWith(w, r, tokensView{}, nil)
}

func (p *portal) showTokensWith(w http.ResponseWriter, r *http.Request, page tokensView, problem error) error {
	found, err := p.directory(r.Context())
	if err != nil {
		return err
	}
	page.frame = p.frame(r, "Tokens", "/portal/tokens", problem)
	page.Form = r.Form
	for _, tenant := range found.Tenants {
		page.Users = append(page.Users, tenant.Users...)
		page.Apps = append(page.Apps, tenant.Apps...)
		for _, app := range tenant.Apps {
			if len(app.Scopes) > 0 {
				page.APIs = append(page.APIs, app)
			}
		}
	}
	page.Users = page.Users[:min(len(page.Users), maxShown)]
	page.Apps = page.Apps[:min(len(page.Apps), maxShown)]
	page.APIs = page.APIs[:min(len(page.APIs), maxShown)]
	return show(w, "tokens.html", problem, page)
}

// wanted reads the form of a token.
func wanted(form url.Values) map[string]any {
	want := map[string]any{}
	for _, field := range []string{"kind", "user", "client", "api", "lifetime", "age", "key", "nonce"} {
		if value := strings.TrimSpace(form.Get(field)); value != "" {
			want[field] = value
		}
	}
	if scopes := strings.Fields(form.Get("scopes")); len(scopes) > 0 {
		want["scopes"] = scopes
	}
	switch form.Get("version") {
	case "1":
		want["version"] = 1
	case "2":
		want["version"] = 2
	}
	return want
}

// mint makes a token and decodes it.
func (p *portal) mint(w http.ResponseWriter, r *http.Request) error {
	var minted struct {
		Token string `json:"token"`
	}
	if err := p.call(r.Context(), http.MethodPost, "/tokens", wanted(r.PostForm), &minted); err != nil {
		return p.showTokensWith(w, r, tokensView{}, err)
	}
	return p.showDecoded(w, r, tokensView{Minted: minted.Token}, minted.Token)
}

// mintBad makes the tokens that an API must refuse.
func (p *portal) mintBad(w http.ResponseWriter, r *http.Request) error {
	var bad []fakeentra.BadToken
	want := wanted(r.PostForm)
	maps.DeleteFunc(want, func(field string, _ any) bool {
		return !slices.Contains([]string{"user", "client", "api", "scopes"}, field)
	})
	err := p.call(r.Context(), http.MethodPost, "/tokens/bad", want, &bad)
	return p.showTokensWith(w, r, tokensView{Bad: bad}, err)
}

// decode decodes the token of the form. People paste headers and curl lines, too.
func (p *portal) decode(w http.ResponseWriter, r *http.Request) error {
	raw := strings.Trim(strings.TrimSpace(r.PostForm.Get("token")), `"'`)
	fields := strings.Fields(raw)
	if len(fields) > 0 {
		raw = fields[len(fields)-1]
	}
	return p.showDecoded(w, r, tokensView{}, raw)
}

func (p *portal) showDecoded(w http.ResponseWriter, r *http.Request, page tokensView, raw string) error {
	found, err := p.directory(r.Context())
	if err != nil {
		return err
	}
	var keys []fakeentra.PublishedKey
	if err := p.call(r.Context(), http.MethodGet, "/keys", nil, &keys); err != nil {
		return err
	}
	reader := reader{
		directory: &found,
		keys:      keys,
		issuer:    p.fake.Issuer,
		v1Issuer:  p.fake.V1Issuer,
		graph:     p.fake.GraphURL(),
		now:       p.fake.Now(),
	}
	page.Decoded, err = reader.read(raw, r.PostForm.Get("audience"), strings.TrimSpace(r.PostForm.Get("scope")))
	return p.showTokensWith(w, r, page, err)
}
