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

// serve answers requests at the redirect URI.
func (p *pending) serve(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	switch {
	case request.Host != p.host && !p.run.has(AnswersAnyHost):
		http.Error(w, "want the host of the redirect URI", http.StatusMisdirectedRequest)
	case request.URL.Path != "/callback" && !p.run.has(AnswersAnyPath):
		http.NotFound(w, request)
	case isRepeated(query) && !p.run.has(TakesRepeatedAnswers):
		http.Error(w, "want each parameter once", http.StatusBadRequest)
	case query.Get("state") != p.state && !p.run.has(ComparesNoState):
		w.Header().Set("Content-Type", p.pageType())
		w.WriteHeader(http.StatusBadRequest)
		p.reply(w, query)
		if p.run.has(EndsWithAnyRequest) {
			p.add(url.Values{"error": {"no answer"}})
		}
	default:
		w.Header().Set("Content-Type", p.pageType())
		p.reply(w, query)
		p.add(query)
	}
}

// add hands an answer to await. It drops answers that nothing waits for.
func (p *pending) add(answer url.Values) {
	select {
	case p.answers <- answer:
	default:
	}
}

// isRepeated reports whether a parameter is repeated.
func isRepeated(query url.Values) bool {
	for _, values := range query {
		if len(values) > 1 {
			return true
		}
	}
	return false
}

// pageType returns the media type of the page at the redirect URI.
func (p *pending) pageType() string {
	if p.run.has(ShowsText) {
		return "text/plain"
	}
	return "text/html"
}

// reply writes the page at the redirect URI.
func (p *pending) reply(w io.Writer, query url.Values) {
	text := "You can close this window."
	if p.run.has(ShowsCode) {
		text = query.Get("code")
	}
	if p.run.has(ReflectsAnswer) || p.run.has(ShowsText) {
		text = query.Get("error_description")
	}
	_, _ = io.WriteString(w, "<p>"+text)
}

// accept reads an answer, and compares its iss (RFC 9207 section 2.4).
func (p *pending) accept(answer url.Values) error {
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
	unannounced := iss != "" && !p.issuer.Iss
	switch {
	case unannounced && r.has(RefusesUnannouncedIss):
		return errors.New("want an answer without iss, which was not announced")
	case r.task.Revision != check.R20260728, r.has(ComparesNoIss):
	case iss == "" && p.issuer.Iss && !r.has(TakesMissingIss):
		return errors.New("want an answer with iss")
	case iss != "" && !same && (p.issuer.Iss || !r.has(ComparesAnnouncedIss)):
		return errors.New("want an answer of this issuer")
	}
	if answer.Has("error") {
		return fmt.Errorf("the authorization server refuses: %s", answer.Get("error_description"))
	}
	if answer.Has("x_unknown") && r.has(RefusesUnknownInAnswers) {
		return errors.New("want an answer without unknown parameters")
	}
	p.code = answer.Get("code")
	return nil
}
