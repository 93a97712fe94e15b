package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"mcpentra/conformance/internal/exchange"
)

// Bounds of a walk.
const (
	defaultPatience = 10 * time.Second // for one answer
	walkTime        = 3 * time.Minute
	mostRequests    = 150
)

// A Config says what to walk through, and how.
type Config struct {
	// URL is the MCP endpoint, as people give it to a client.
	URL string
	// ClientID is a registered client. Without it, Walk registers one if the server allows that.
	ClientID string
	// RedirectURI belongs to ClientID. Empty means http://localhost/callback.
	RedirectURI string
	// NoRegistration registers no client.
	NoRegistration bool
	// Token is an access token for the endpoint. With it, Walk also sends messages and opens a
	// stream. Empty means none.
	Token string
	// RootCAs are the trusted certificate authorities. Nil means the system's.
	RootCAs *x509.CertPool
	// Dial connects to host:port, and resolves the name. Nil means the network and its DNS.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ProxyVariable names the environment variable that sets a proxy for the URL: HTTPS_PROXY
	// or HTTP_PROXY. Without Dial, Walk connects directly, and mentions it if that fails. Empty
	// means no proxy.
	ProxyVariable string
	// Patience bounds the wait for one answer. Zero means 10 s.
	Patience time.Duration
	// Now is the clock that certificates are compared with. Nil means time.Now.
	Now func() time.Time
	// Progress is called with the title of each step before it runs. Nil means no call.
	Progress func(title string)
}

// A walk is one examination. Its steps fill it from top to bottom.
type walk struct {
	config   Config
	report   *Report
	endpoint *url.URL
	client   *http.Client
	browser  *http.Client // keeps cookies
	secrets  exchange.Secrets
	requests int

	network    network // the way to the endpoint
	challenged *challenged
	resource   *resourceSeen
	issuers    []*issuerSeen
	registered *registration
	made       []*registration // to be deleted at the end
	authorized *authorized
	otherPath  string // an address that looks more like the endpoint
}

// steps are the steps of a walk, in order. A step returns false if the next ones make no sense.
var steps = []struct {
	name, title string
	run         func(w *walk, ctx context.Context, step *Step) bool
}{
	{"reach", "Reach the address", (*walk).reach},
	{"challenge", "Call the endpoint without a token", (*walk).challenge},
	{"neighbours", "Try other paths without a token", (*walk).neighbours},
	{"proxy", "Look for a proxy's limits", (*walk).proxy},
	{"stream", "Open an event stream", (*walk).stream},
	{"resource-metadata", "Read the metadata of the resource", (*walk).resourceMetadata},
	{"server-metadata", "Read the metadata of the authorization server", (*walk).serverMetadata},
	{"registration", "Register a client", (*walk).registration},
	{"authorization", "Begin a sign-in", (*walk).authorization},
	{"entra", "Ask Entra ID, without signing in", (*walk).entra},
	{sessionStep, "Use the token", (*walk).session},
}

// Walk examines a deployment. It returns an error only if the context ends.
func Walk(ctx context.Context, config Config) (*Report, error) {
	if config.Patience <= 0 {
		config.Patience = defaultPatience
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	w := &walk{config: config, report: NewReport(ShownAddress(config.URL))}
	w.hideKeys()
	w.client = w.newClient()
	w.browser = w.newBrowser()
	defer w.client.CloseIdleConnections()
	within, cancel := context.WithTimeout(ctx, walkTime)
	defer cancel()
	for _, next := range steps {
		if next.name == sessionStep && config.Token == "" {
			continue
		}
		if config.Progress != nil {
			config.Progress(next.title)
		}
		step := Step{Name: next.name, Title: next.title, Findings: []Finding{}}
		goesOn := next.run(w, within, &step)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("doctor: the walk was stopped: %w", err)
		}
		w.report.Steps = append(w.report.Steps, step)
		if !goesOn {
			break
		}
	}
	if w.registered != nil || len(w.made) > 0 {
		step := Step{Name: "clean-up", Title: "Delete the registered client", Findings: []Finding{}}
		w.cleanUp(within, &step)
		w.report.Steps = append(w.report.Steps, step)
	}
	w.withoutOthers()
	w.addSettings()
	return w.report, nil
}

// A symptom is a row of a step's table: a finding, and when it shows. E is what the step collected.
type symptom[E any] struct {
	code string
	kind Kind
	// seen says what the deployment did, or "" if the symptom does not show.
	seen    func(e E) string
	why     string
	effects []Effect
	fixes   func(e E) []Fix
}

// diagnose adds the findings of a table to a step.
func diagnose[E any](step *Step, e E, table []symptom[E]) {
	for _, row := range table {
		seen := row.seen(e)
		if seen == "" {
			continue
		}
		finding := Finding{Code: row.code, Kind: row.kind, Seen: seen, Why: row.why, Effects: row.effects}
		if row.fixes != nil {
			finding.Fixes = row.fixes(e)
		}
		step.Add(finding)
	}
}

// did adds a line about what a step tried.
func (s *Step) did(format string, values ...any) {
	s.Did = append(s.Did, fmt.Sprintf(format, values...))
}

// fine adds a finding that needs no change, if the step has no fault or warning.
func (s *Step) fine(code, seen string) {
	for _, finding := range s.Findings {
		if finding.Kind != Fine {
			return
		}
	}
	s.Add(Finding{Code: code, Kind: Fine, Seen: seen})
}
