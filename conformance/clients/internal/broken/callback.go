package broken

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
)

// serve is the redirect URI.
func (p *pending) serve(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	switch {
	case request.URL.Path != "/callback" && !p.run.has(AnswersAnyPath):
		http.NotFound(w, request)
	case repeated(query) && !p.run.has(TakesRepeatedAnswers):
		http.Error(w, "a parameter is there twice", http.StatusBadRequest)
	case query.Get("state") != p.state && !p.run.has(ComparesNoState):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadRequest)
		p.reflect(w, query)
		if p.run.has(EndsWithAnyRequest) {
			p.put(url.Values{"error": {"no answer"}})
		}
	default:
		w.Header().Set("Content-Type", "text/html")
		p.reflect(w, query)
		p.put(query)
	}
}

func (p *pending) put(answer url.Values) {
	select {
	case p.answers <- answer:
	default:
	}
}

func repeated(query url.Values) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

func (p *pending) reflect(w io.Writer, query url.Values) {
	text := "You can close this window."
	if p.run.has(ShowsCode) {
		text = query.Get("code")
	}
	if p.run.has(ReflectsAnswer) {
		text = query.Get("error_description")
	}
	_, _ = io.WriteString(w, "<p>"+text)
}

// take reads an answer (RFC 9207 section 2.4).
func (p *pending) take(answer url.Values) error {
	r := p.run
	if r.has(ShowsAnyError) && answer.Has("error") {
		return fmt.Errorf("the authorization server refuses: %s", answer.Get("error_description"))
	}
	loosely := func(text string) string {
		decoded, _ := url.PathUnescape(text)
		return strings.ToLower(strings.Replace(strings.TrimSuffix(decoded, "/"), ":443", "", 1))
	}
	iss := answer.Get("iss")
	same := iss == p.issuer.Issuer || r.has(ComparesIssLoosely) && loosely(iss) == loosely(p.issuer.Issuer)
	switch {
	case r.task.Revision != check.R20260728, r.has(ComparesNoIss):
	case iss == "" && p.issuer.Iss && !r.has(TakesMissingIss):
		return errors.New("the answer does not say where it comes from")
	case iss != "" && !same && (p.issuer.Iss || !r.has(ComparesAnnouncedIss)):
		return errors.New("the answer comes from somebody else")
	case iss != "" && !p.issuer.Iss && r.has(RefusesUnannouncedIss):
		return errors.New("the answer says where it comes from, and nobody announced that")
	}
	if answer.Has("error") {
		return fmt.Errorf("the authorization server refuses: %s", answer.Get("error_description"))
	}
	if answer.Has("x_unknown") && r.has(RefusesUnknownInAnswers) {
		return errors.New("the answer has parameters that nobody knows")
	}
	p.code = answer.Get("code")
	return nil
}
