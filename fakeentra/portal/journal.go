package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/journal"
)

// maxRows bounds the requests on the page.
const maxRows = 100

// A row is a request of the journal.
type row struct {
	journal.Entry
	Text   string // the transcript of the request
	Failed bool
}

// A journalView is the page of the journal, or only its rows.
type journalView struct {
	frame
	Endpoints []endpoint.Name
	Endpoint  endpoint.Name // selected, or empty
	Rows      []row         // newest first
	Last      int           // number of the newest request
}

// showJournal shows the last requests.
func (p *portal) showJournal(w http.ResponseWriter, r *http.Request) error {
	return p.showJournalWith(w, r, "journal.html")
}

// showRows answers with the requests after a number, for the script of the page.
func (p *portal) showRows(w http.ResponseWriter, r *http.Request) error {
	return p.showJournalWith(w, r, "rows.html")
}

func (p *portal) showJournalWith(w http.ResponseWriter, r *http.Request, template string) error {
	selected := endpoint.Name(r.Form.Get("endpoint"))
	after, _ := strconv.Atoi(r.Form.Get("after"))
	page := journalView{Endpoints: endpoint.All(), Endpoint: selected}
	var entries []journal.Entry
	problem := p.call(r.Context(), http.MethodGet, "/journal", nil, &entries)
	if problem == nil && selected != "" && !selected.Known() {
		problem = fmt.Errorf("unknown endpoint %q; want one of %v", selected, endpoint.All())
	}
	page.frame = p.frame(r, "Journal", "/portal/journal", problem)
	slices.Reverse(entries)
	newest := 0
	if len(entries) > 0 {
		newest = entries[0].Number
	}
	if newest < after {
		after = 0 // the journal was cleared meanwhile
	}
	page.Last = newest
	for _, entry := range entries {
		switch {
		case entry.Number <= after || len(page.Rows) == maxRows:
		case selected == "" || entry.Endpoint == selected:
			isFailure := entry.AADSTS != 0 || entry.Status == 0 || entry.Status >= http.StatusBadRequest
			page.Rows = append(page.Rows, row{Entry: entry, Text: entry.String(), Failed: isFailure})
		}
	}
	w.Header().Set("X-Last", strconv.Itoa(page.Last))
	return show(w, template, problem, page)
}

// clearJournal forgets all requests.
func (p *portal) clearJournal(w http.ResponseWriter, r *http.Request) error {
	if err := p.call(r.Context(), http.MethodDelete, "/journal", nil, nil); err != nil {
		return err
	}
	http.Redirect(w, r, "/portal/journal", http.StatusSeeOther)
	return nil
}
