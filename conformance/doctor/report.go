package doctor

import "slices"

// A Kind says how bad a finding is.
type Kind string

// The kinds.
const (
	Fault   Kind = "fault"   // clients fail
	Warning Kind = "warning" // some clients fail, or a client may fail later
	Fine    Kind = "fine"    // nothing to change
)

// A Place says where a change is made.
type Place string

// The places.
const (
	ServerSetting Place = "server setting"
	ProxyLine     Place = "proxy line"
	PortalPage    Place = "portal page"
	ClientSetting Place = "client setting"
	Person        Place = "person" // at the browser or the client
)

// A Fix is one change that mends a finding. Several fixes of a finding are alternatives for
// different deployments.
type Fix struct {
	Place Place `json:"place"`
	// Where names the file, program or page, such as ".env of mcp-entra-server" or "nginx".
	Where string `json:"where"`
	// Text is the line to write, or the field of the page and its value. It may have several lines.
	Text string `json:"text"`
}

// An Effect says how one client fails.
type Effect struct {
	Client string `json:"client"` // or several, separated by commas
	How    string `json:"how"`
}

// A Finding is one fact about the deployment.
type Finding struct {
	// Code is stable, in kebab-case. Scripts can rely on it.
	Code string `json:"code"`
	Kind Kind   `json:"kind"`
	// Seen says what the deployment did.
	Seen string `json:"seen"`
	// Why says why it matters. It is empty for fine findings.
	Why     string   `json:"why,omitempty"`
	Effects []Effect `json:"effects,omitempty"`
	Fixes   []Fix    `json:"fixes,omitempty"`
}

// A Step is one part of the walk.
type Step struct {
	Name  string `json:"name"`  // stable, in kebab-case
	Title string `json:"title"` // for people
	// Did has a line for each thing that the step tried, with its answer.
	Did      []string  `json:"did,omitempty"`
	Findings []Finding `json:"findings"`
}

// Add adds a finding. It copies the lists of the finding: a change to a report changes no other.
func (s *Step) Add(finding Finding) {
	finding.Effects = slices.Clone(finding.Effects)
	finding.Fixes = slices.Clone(finding.Fixes)
	s.Findings = append(s.Findings, finding)
}

// A Settings is the configuration of one client for the deployment.
type Settings struct {
	Client string `json:"client"`
	File   string `json:"file"` // the file or dialog that the text belongs in
	Text   string `json:"text"`
	Note   string `json:"note,omitempty"`
}

// A Report is the result of a walk.
type Report struct {
	Version int    `json:"version"` // of this format: 1
	Subject string `json:"subject"` // the URL, or the file, that was examined
	// Answers is false if the address gives no answer, or cannot be used.
	Answers  bool       `json:"answers"`
	Steps    []Step     `json:"steps"`
	Settings []Settings `json:"settings,omitempty"`
	// Notes are sentences about several of the settings.
	Notes []string `json:"notes,omitempty"`
}

// NewReport returns an empty report about a URL or a file.
func NewReport(subject string) *Report {
	return &Report{Version: 1, Subject: clean(subject), Answers: true, Steps: []Step{}}
}

// Count returns the number of findings of a kind.
func (r *Report) Count(kind Kind) int {
	count := 0
	for _, step := range r.Steps {
		for _, finding := range step.Findings {
			if finding.Kind == kind {
				count++
			}
		}
	}
	return count
}

// ExitStatus returns 2 if the address gives no answer, 1 if there is a fault, or else 0.
func (r *Report) ExitStatus() int {
	switch {
	case !r.Answers:
		return 2
	case r.Count(Fault) > 0:
		return 1
	}
	return 0
}
