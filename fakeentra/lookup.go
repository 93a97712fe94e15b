package fakeentra

import (
	"net/http"
	"strconv"
	"strings"

	"mcpentra/fakeentra/aadsts"
)

// handleLookup is the page that error_uri leads to. The number may stand alone or behind AADSTS.
func (f *Fake) handleLookup(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimSpace(r.URL.Query().Get("code"))
	number, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(text), "AADSTS"))
	data := page{Title: "Look up an error"}
	switch entry, found := aadsts.Lookup(number); {
	case text == "":
	case err != nil || !found:
		data.Problem = "There is no such error here."
	default:
		entry.Sentence = strings.ReplaceAll(entry.Sentence, "%s", "…")
		data.Title = "AADSTS" + strconv.Itoa(number)
		data.Entry = &entry
		data.Known = entry.Confidence.Words()
	}
	f.show(w, "lookup.html", data)
}
