package portal

import (
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra"
)

// showClock shows the clock and the keys.
func (p *portal) showClock(w http.ResponseWriter, r *http.Request) error {
	return p.showClockWith(w, r, nil)
}

func (p *portal) showClockWith(w http.ResponseWriter, r *http.Request, problem error) error {
	page := struct {
		frame
		Real    time.Time
		Freeze  string
		Advance string
		Keys    []fakeentra.PublishedKey
	}{
		frame:   p.frame(r, "Clock and keys", "/portal/clock", problem),
		Real:    time.Now(),
		Freeze:  r.PostForm.Get("freeze"),
		Advance: r.PostForm.Get("advance"),
	}
	if err := p.call(r.Context(), http.MethodGet, "/keys", nil, &page.Keys); err != nil {
		return err
	}
	return show(w, "clock.html", problem, page)
}

// setClock handles the forms of the clock: advance, freeze and unfreeze.
func (p *portal) setClock(w http.ResponseWriter, r *http.Request) error {
	body := map[string]any{}
	switch r.PostForm.Get("change") {
	case "advance":
		body["advance"] = strings.TrimSpace(r.PostForm.Get("advance"))
	case "freeze":
		at := strings.TrimSpace(r.PostForm.Get("freeze"))
		if at == "" {
			at = p.fake.Now().UTC().Format(time.RFC3339)
		}
		body["freeze"] = at
	case "unfreeze":
		body["unfreeze"] = true
	}
	if err := p.call(r.Context(), http.MethodPost, "/clock", body, nil); err != nil {
		return p.showClockWith(w, r, err)
	}
	http.Redirect(w, r, "/portal/clock", http.StatusSeeOther)
	return nil
}

// rotateKeys makes a rollover, as planned or in an emergency.
func (p *portal) rotateKeys(w http.ResponseWriter, r *http.Request) error {
	body := map[string]bool{"emergency": r.PostForm.Get("rollover") == "emergency"}
	if err := p.call(r.Context(), http.MethodPost, "/keys/rotate", body, nil); err != nil {
		return p.showClockWith(w, r, err)
	}
	http.Redirect(w, r, "/portal/clock", http.StatusSeeOther)
	return nil
}
