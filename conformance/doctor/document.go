package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// mostValues bounds the entries of a list that the walk looks at.
const mostValues = 40

// A place is an address where a client looks for a document.
type place struct {
	address  string
	answer   *answer
	document map[string]any // nil if there is none
}

// look asks at several addresses for one document, each address once.
func (w *walk) look(ctx context.Context, step *Step, addresses ...string) []place {
	var places []place
	for _, address := range addresses {
		isKnown := slices.ContainsFunc(places, func(p place) bool { return p.address == address })
		if address == "" || isKnown {
			continue
		}
		p := place{address: address, answer: w.get(ctx, address)}
		if p.answer.status == http.StatusOK {
			p.document = p.answer.object()
		}
		step.did("GET %s: %s", w.secrets.Shown(withoutQuery(address)), w.says(p.answer))
		places = append(places, p)
	}
	return places
}

// firstDocument returns the first place with a document, or nil.
func firstDocument(places []place) *place {
	for i := range places {
		if places[i].document != nil {
			return &places[i]
		}
	}
	return nil
}

// found says which places fit.
func (w *walk) found(places []place, fits func(a *answer) bool) string {
	var lines []string
	for _, p := range places {
		if fits(p.answer) {
			lines = append(lines, fmt.Sprintf("%s answers %s", w.secrets.Shown(p.address), w.says(p.answer)))
		}
	}
	return strings.Join(lines, "; ")
}

// What a place without a document answers.

func isAbsent(a *answer) bool { return a.status == http.StatusNotFound || a.status == http.StatusGone }

func isPage(a *answer) bool { return a.status == http.StatusOK && a.isPage() }

func isGuarded(a *answer) bool {
	return a.status == http.StatusUnauthorized || a.status == http.StatusForbidden ||
		a.status == http.StatusProxyAuthRequired
}

func isRedirect(a *answer) bool { return a.isRedirect() }

func isBroken(a *answer) bool { return a.err != nil || a.status >= http.StatusInternalServerError }

func isOtherRefusal(a *answer) bool {
	return a.status/100 == 4 && !isAbsent(a) && !isGuarded(a) || a.status/100 == 2 && a.status != http.StatusOK
}

func isUnreadable(a *answer) bool {
	return a.status == http.StatusOK && !a.isPage() && a.object() == nil
}

// text returns a member that is a string, or "".
func text(document map[string]any, name string) string {
	value, _ := document[name].(string)
	return value
}

// list returns the strings of a member that is an array.
func list(document map[string]any, name string) []string {
	values, _ := document[name].([]any)
	var texts []string
	for _, value := range values[:min(len(values), mostValues)] {
		if one, ok := value.(string); ok {
			texts = append(texts, one)
		}
	}
	return texts
}

// has reports whether a document has a member.
func has(document map[string]any, name string) bool {
	_, found := document[name]
	return found
}
