package portal

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/inproc"
)

// maxForm bounds a form in bytes. The longest field is a token.
const maxForm = 256 << 10

//go:embed html/*.html html/style.css html/live.js
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
}).ParseFS(files, "html/*.html"))

// pagePolicy is the Content-Security-Policy of the pages. Their style and script are files.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// A portal serves the pages of one fake.
type portal struct {
	fake *fakeentra.Fake
	api  http.Handler // the admin API
}

// Handler serves the pages of a fake at / and below /portal/. It refuses forms from other origins.
// Do not serve it to other machines: fakeentra.Config.Portal takes care of that.
func Handler(fake *fakeentra.Fake) http.Handler {
	p := &portal{fake: fake, api: admin.Handler(fake)}
	mux := http.NewServeMux()
	for path, page := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                 p.showPeople,
		"POST /portal/sign-in":     p.signIn,
		"POST /portal/sessions":    p.revokeSessions,
		"GET /portal/tokens":       p.showTokens,
		"POST /portal/tokens":      p.mint,
		"POST /portal/tokens/bad":  p.mintBad,
		"POST /portal/decode":      p.decode,
		"GET /portal/journal":      p.showJournal,
		"GET /portal/journal/rows": p.showRows,
		"POST /portal/journal":     p.clearJournal,
		"GET /portal/faults":       p.showFaults,
		"POST /portal/faults":      p.changeFaults,
		"GET /portal/clock":        p.showClock,
		"POST /portal/clock":       p.setClock,
		"POST /portal/keys":        p.rotateKeys,
		"POST /portal/reset":       p.reset,
		"GET /portal/style.css":    serveFile("html/style.css", "text/css; charset=utf-8"),
		"GET /portal/live.js":      serveFile("html/live.js", "text/javascript; charset=utf-8"),
		"GET /portal/tokens/bad":   toTokens,
		"GET /portal/decode":       toTokens,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			setHeader(w.Header())
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				http.Error(w, fmt.Sprintf("want a form of at most %d bytes: %v", maxForm, err), http.StatusBadRequest)
				return
			}
			if err := page(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

func setHeader(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
}

func serveFile(name, mediaType string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", mediaType)
		_, err = w.Write(content)
		return err
	}
}

// toTokens answers a reload of a page that only a form makes.
func toTokens(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/portal/tokens", http.StatusSeeOther)
	return nil
}

// A frame is the part that all pages share.
type frame struct {
	Title   string
	Path    string // of the page, for the navigation
	Problem string
	Now     time.Time
	Person  string // signed in in this browser, or empty
}

func (p *portal) frame(r *http.Request, title, path string, problem error) frame {
	f := frame{Title: title, Path: path, Now: p.fake.Now(), Person: p.fake.SignedIn(r)}
	if problem != nil {
		f.Problem = problem.Error()
	}
	return f
}

// show answers with a page. A page with a problem has status 400.
func show(w http.ResponseWriter, name string, problem error, page any) error {
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, page); err != nil {
		return fmt.Errorf("portal: %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if problem != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, err := w.Write(text.Bytes())
	return err
}

// call sends a request to the admin API. The error has the sentence of the API.
func (p *portal) call(ctx context.Context, method, path string, body, into any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := inproc.RoundTrip(p.api, request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode >= http.StatusBadRequest:
		var refusal struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(text, &refusal) != nil || refusal.Error == "" {
			return fmt.Errorf("the admin API answered with status %d", answer.StatusCode)
		}
		return errors.New(refusal.Error)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

func (p *portal) directory(ctx context.Context) (directory.Directory, error) {
	var found directory.Directory
	err := p.call(ctx, http.MethodGet, "/directory", nil, &found)
	return found, err
}
