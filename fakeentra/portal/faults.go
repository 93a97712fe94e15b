package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
)

// A preset is a fault that a person turns on and off with one button.
type preset struct {
	Words string
	Fault fault.Fault
}

// Name returns the name of the fault.
func (p preset) Name() string { return p.Fault.Name }

// presets lists the faults with a button. Each applies until a person turns it off.
func presets() []preset {
	known := []preset{
		{
			Words: "The token endpoint answers 429 with Retry-After: 30.",
			Fault: fault.Fault{Name: "throttled", On: endpoint.Token, Status: 429, RetryAfter: 30 * time.Second},
		},
		{
			Words: "The token endpoint answers 503.",
			Fault: fault.Fault{Name: "token endpoint away", On: endpoint.Token, Status: 503},
		},
		{
			Words: "The key sets answer 503.",
			Fault: fault.Fault{Name: "keys away", On: endpoint.Keys, Status: 503},
		},
		{
			Words: "The discovery documents answer 503.",
			Fault: fault.Fault{Name: "discovery away", On: endpoint.Discovery, Status: 503},
		},
		{
			Words: "Every answer of the token endpoint takes three seconds more.",
			Fault: fault.Fault{Name: "slow", On: endpoint.Token, Delay: 3 * time.Second},
		},
		{
			Words: "The token endpoint executes the request, then closes the connection without an answer.",
			Fault: fault.Fault{Name: "answer lost", On: endpoint.Token, Drop: true, Processed: true},
		},
		{
			Words: "Token requests get AADSTS50076: a second factor is required.",
			Fault: fault.Fault{Name: "second factor", On: endpoint.Token, AADSTS: 50076},
		},
		{
			Words: "Token requests get AADSTS53003: Conditional Access blocks them.",
			Fault: fault.Fault{Name: "blocked", On: endpoint.Token, AADSTS: 53003},
		},
		{
			Words: "Refreshes get AADSTS50173: the refresh token was revoked.",
			Fault: fault.Fault{Name: "revoked", On: endpoint.Token, Grant: "refresh_token", AADSTS: 50173},
		},
		{
			Words: "Graph answers 429 with Retry-After: 10.",
			Fault: fault.Fault{Name: "Graph throttled", On: endpoint.Graph, Status: 429, RetryAfter: 10 * time.Second},
		},
	}
	for i := range known {
		known[i].Fault.Times = fault.Forever
	}
	return known
}

// A presetView is a preset, and how often it was applied.
type presetView struct {
	preset
	On      bool
	Applied int
}

// A faultView is a fault without a button of its own.
type faultView struct {
	Name    string
	Applied int
}

// showFaults shows the faults.
func (p *portal) showFaults(w http.ResponseWriter, r *http.Request) error {
	return p.showFaultsWith(w, r, nil)
}

func (p *portal) showFaultsWith(w http.ResponseWriter, r *http.Request, problem error) error {
	page := struct {
		frame
		Presets   []presetView
		Others    []faultView
		Share     float64 // of chaos, in percent
		Endpoints []endpoint.Name
		Form      url.Values
	}{
		frame:     p.frame(r, "Faults", "/portal/faults", problem),
		Endpoints: endpoint.All(),
		Form:      r.PostForm,
	}
	var active []fault.Progress
	if err := p.call(r.Context(), http.MethodGet, "/faults", nil, &active); err != nil {
		return err
	}
	var chaos fault.Chaos
	if err := p.call(r.Context(), http.MethodGet, "/chaos", nil, &chaos); err != nil {
		return err
	}
	page.Share = 100 * chaos.Share
	applied := map[string]int{}
	for _, progress := range active {
		applied[progress.Fault.String()] += progress.Applied
	}
	seen := map[string]bool{}
	for _, known := range presets() {
		count, isOn := applied[known.Name()]
		page.Presets = append(page.Presets, presetView{known, isOn, count})
		seen[known.Name()] = true
	}
	for _, progress := range active {
		if name := progress.Fault.String(); !seen[name] {
			seen[name] = true
			page.Others = append(page.Others, faultView{name, applied[name]})
		}
	}
	return show(w, "faults.html", problem, page)
}

// changeFaults handles the forms of the page of faults.
func (p *portal) changeFaults(w http.ResponseWriter, r *http.Request) error {
	var problem error
	switch name := r.PostForm.Get("name"); r.PostForm.Get("change") {
	case "on":
		problem = p.turnOn(r, name)
	case "off":
		problem = p.call(r.Context(), http.MethodDelete, "/faults?name="+url.QueryEscape(name), nil, nil)
	case "clear":
		problem = p.call(r.Context(), http.MethodDelete, "/faults", nil, nil)
	case "add":
		problem = p.addFault(r)
	case "chaos":
		problem = p.setChaos(r)
	default:
		problem = errors.New("unknown change; go back and use a button of the page")
	}
	if problem != nil {
		return p.showFaultsWith(w, r, problem)
	}
	http.Redirect(w, r, "/portal/faults", http.StatusSeeOther)
	return nil
}

func (p *portal) turnOn(r *http.Request, name string) error {
	for _, known := range presets() {
		if known.Name() == name {
			return p.call(r.Context(), http.MethodPost, "/faults", known.Fault, nil)
		}
	}
	return fmt.Errorf("unknown fault %q; go back and use a button of the page", name)
}

// addFault adds the fault of the form.
func (p *portal) addFault(r *http.Request) error {
	body := map[string]any{}
	for _, field := range []string{"on", "delay", "retryAfter"} {
		if value := strings.TrimSpace(r.PostForm.Get(field)); value != "" {
			body[field] = value
		}
	}
	for _, field := range []string{"status", "aadsts", "times"} {
		value := strings.TrimSpace(r.PostForm.Get(field))
		if value == "" {
			continue
		}
		number, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(value), "AADSTS"))
		if err != nil {
			return fmt.Errorf("%s: want a number, got %q", field, value)
		}
		body[field] = number
	}
	return p.call(r.Context(), http.MethodPost, "/faults", body, nil)
}

func (p *portal) setChaos(r *http.Request) error {
	text := strings.TrimSpace(r.PostForm.Get("share"))
	percent, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("share: want percent from 0 to 100, got %q", text)
	}
	return p.call(r.Context(), http.MethodPut, "/chaos", map[string]float64{"share": percent / 100}, nil)
}
