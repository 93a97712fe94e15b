package attack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/bench"
)

// Limits of a sweep.
const (
	sweepRequests = 400
	sweepTime     = 20 * time.Second
	sweepRest     = 5 * time.Second // of the check, after its sweeps
	sweepFindings = 4               // for each base
	sweepClaims   = 50
	// sweepBytes is less than the line that common servers accept, 8 KiB.
	sweepBytes = 6500
)

// A Claim is a part of a request that a careless server trusts.
type Claim struct {
	Name string
	// Slot is a place that holds one claim. Claims with the same slot go into different requests.
	Slot string
	// Add adds the claim to a request. The token is good, or has a broken signature.
	Add func(request *bench.Request, token string)
}

// A Sweep sends requests that carry many claims at once and no credentials. If the server serves
// one of them, the sweep halves it until it has the claims that count.
type Sweep struct {
	Claims []Claim
	// CarryToken says that each claim carries the token. Then the sweep also notices a server that
	// only answers the good token in another way than one with a broken signature.
	CarryToken bool
	// Always are claims that accompany all others. A server may believe those only with these.
	// Another check tries them alone.
	Always []Claim
	// Reported are claims that another check tries alone in a POST. The sweep does not report them
	// there.
	Reported []string
	// Bases are the requests that carry the claims. Nil means the result of [Bases].
	Bases []Base
	// Level and Severity replace the rule's. Empty keeps them.
	Level    check.Level
	Severity check.Severity
}

// A Base is a request that a server refuses without credentials.
type Base struct {
	Name string
	Make func() bench.Request

	status int // of the refusal
	isGET  bool
}

// Run runs the sweep.
func (s Sweep) Run(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases := s.Bases
	if bases == nil {
		var err error
		bases, err = Bases(ctx, p, trial)
		if err != nil {
			return err
		}
	}
	run := &sweepRun{
		Sweep: s,
		probe: p,
		trial: trial,
		left:  sweepRequests,
		end:   sweepEnd(ctx, p),
	}
	for _, claim := range s.Always {
		run.known = append(run.known, claim.Name)
	}
	err := inputs.TryAll(bases, func(base Base) error { return run.over(ctx, base) })
	if err != nil {
		return err
	}
	// The server must still answer as before, or the refusals mean nothing.
	if answer, err := p.Send(ctx, bases[0].Make()); err != nil {
		return err
	} else if answer.Status == http.StatusTooManyRequests {
		return &check.Skipped{Reason: "the server limits the rate of requests (429)"}
	}
	if run.exhausted() {
		return &check.Skipped{Reason: "the time for the requests of this check is over"}
	}
	return nil
}

// sweepEnd returns the time when a sweep ends. Sweeps of one check share its time, and the check
// needs the rest to report what it found.
func sweepEnd(ctx context.Context, p *bench.Probe) time.Time {
	end := time.Now().Add(p.Scaled(sweepTime))
	if deadline, bounded := ctx.Deadline(); bounded && deadline.Add(-sweepRest).Before(end) {
		return deadline.Add(-sweepRest)
	}
	return end
}

// Bases returns the requests of a trial that the server refuses without credentials: a call or a
// list of tools, the first message, and the GET of a stream. A server that refuses none of them is
// the finding of another check. In a bare trial the first message comes first, because most servers
// serve the others in a session only.
func Bases(ctx context.Context, p *bench.Probe, trial *bench.Trial) ([]Base, error) {
	candidates := []Base{
		{Name: "a call of the tool", Make: trial.Request},
		{Name: "the first message", Make: p.First},
	}
	if !trial.HasCanary() {
		list := func() bench.Request { return trial.Session.Message("tools/list", nil) }
		candidates[0] = Base{Name: "a list of tools", Make: list}
		answer, err := p.Send(ctx, list())
		if err != nil {
			return nil, err
		}
		if answer.Succeeded() { // some servers list their tools to anyone
			unknown := map[string]any{"name": "mcp-auth-conformance", "arguments": map[string]any{}}
			candidates[0] = Base{
				Name: "a call of an unknown tool",
				Make: func() bench.Request { return trial.Session.Message("tools/call", unknown) },
			}
		}
	}
	if trial.IsBare() {
		candidates[0], candidates[1] = candidates[1], candidates[0]
	}
	if p.Revision != check.R20260728 {
		candidates = append(candidates, Base{
			Name: "a GET for the stream",
			Make: func() bench.Request { return StreamRequest(trial.Session, "") },
		})
	}
	return RefusedBases(ctx, p, trial, candidates...)
}

// RefusedBases returns the bases that the server refuses without credentials.
func RefusedBases(ctx context.Context, p *bench.Probe, trial *bench.Trial, candidates ...Base) ([]Base, error) {
	var bases []Base
	for _, base := range candidates {
		request := base.Make()
		answer, err := p.Send(ctx, request)
		if err != nil {
			return nil, err
		}
		base.status = answer.Status
		isRefused := answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden
		if isRefused && effect(trial, request, answer) == "" {
			bases = append(bases, base)
		}
	}
	if len(bases) == 0 {
		return nil, &check.Skipped{
			Of:     "server/challenge/without-token",
			Reason: "the server refuses no request because it lacks a token",
		}
	}
	return bases, nil
}

// effect describes the effect of a request, or returns "".
func effect(trial *bench.Trial, request bench.Request, answer *bench.Answer) string {
	isStream := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream")
	switch {
	case trial.Ran(request):
		return fmt.Sprintf("status %d, and the tool ran", answer.Status)
	case answer.Succeeded():
		return "the result of the request"
	case request.Method == http.MethodGet && answer.Status == http.StatusOK && isStream:
		return "a stream"
	}
	return ""
}

// A sweepRun is a sweep in progress.
type sweepRun struct {
	Sweep
	probe *bench.Probe
	trial *bench.Trial
	left  int       // requests
	end   time.Time // of the sweep
	known []string  // claims that are not reported, or not again

	base     Base
	findings []*check.Mismatch
}

func (s *sweepRun) exhausted() bool { return s.left <= 0 || time.Now().After(s.end) }

// over sends the claims with one base.
func (s *sweepRun) over(ctx context.Context, base Base) error {
	if base.status == 0 {
		request := base.Make()
		answer, err := s.probe.Send(ctx, request)
		if err != nil {
			return err
		}
		if effect(s.trial, request, answer) != "" {
			return nil // another check finds what needs no claim
		}
		base.status = answer.Status
	}
	base.isGET = base.Make().Method == http.MethodGet
	s.base = base
	s.findings = nil
	for _, claims := range s.batches() {
		if err := s.scan(ctx, slices.Concat(claims, s.Always)); err != nil {
			return err
		}
	}
	return inputs.TryAll(s.findings, func(finding *check.Mismatch) error { return finding })
}

// batches distributes the claims over requests.
func (s *sweepRun) batches() [][]Claim {
	most := sweepClaims
	if s.CarryToken {
		most = min(most, max(1, sweepBytes/(len(s.trial.Token)+40)))
	}
	var batches [][]Claim
	for _, claim := range s.Claims {
		fits := func(batch []Claim) bool {
			isTaken := func(other Claim) bool { return other.Slot == claim.Slot }
			return len(batch) < most && !slices.ContainsFunc(batch, isTaken)
		}
		i := slices.IndexFunc(batches, fits)
		if i < 0 {
			batches = append(batches, nil)
			i = len(batches) - 1
		}
		batches[i] = append(batches[i], claim)
	}
	return batches
}

// scan looks for claims with an effect. Another refusal than usual can hide an effect, so it halves
// those claims too.
func (s *sweepRun) scan(ctx context.Context, claims []Claim) error {
	for len(claims) > 0 && len(s.findings) < sweepFindings && !s.exhausted() {
		got, refusedAsUsual, err := s.send(ctx, claims)
		switch {
		case err != nil:
			return err
		case got == "" && (refusedAsUsual || len(claims) == 1):
			return nil
		case got == "":
			half := len(claims) / 2
			if err := s.scan(ctx, claims[:half]); err != nil {
				return err
			}
			claims = claims[half:]
			continue
		}
		found, err := s.narrow(ctx, claims)
		if err != nil {
			return err
		}
		if err := s.report(ctx, found); err != nil {
			return err
		}
		claims = slices.DeleteFunc(slices.Clone(claims), func(claim Claim) bool {
			return slices.ContainsFunc(found, func(other Claim) bool { return other.Name == claim.Name })
		})
	}
	return nil
}

// report notes the claims that had an effect together.
func (s *sweepRun) report(ctx context.Context, claims []Claim) error {
	var names []string
	for _, claim := range claims {
		names = append(names, claim.Name)
	}
	name := strings.Join(names, " and ")
	if len(names) > 4 {
		name = fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	if slices.Contains(s.known, name) {
		return nil
	}
	s.known = append(s.known, name)
	if slices.Contains(s.Reported, name) && !s.base.isGET {
		return nil
	}
	got, _, err := s.send(ctx, claims) // the report shows this exchange
	if err != nil || got == "" {
		return err // the effect was not the claims'
	}
	finding := s.probe.Insecure("no effect: "+name+" in "+s.base.Name, got).(*check.Mismatch)
	finding.Level = s.Level
	finding.Severity = s.Severity
	s.findings = append(s.findings, finding)
	return nil
}

// narrow returns as few of the claims as have the effect.
func (s *sweepRun) narrow(ctx context.Context, claims []Claim) ([]Claim, error) {
	for size := (len(claims) + 1) / 2; size > 0 && len(claims) > 1; {
		smaller, err := s.without(ctx, claims, size)
		if err != nil {
			return nil, err
		}
		if len(smaller) == len(claims) {
			size /= 2
			continue
		}
		claims = smaller
		size = min(size, (len(claims)+1)/2)
	}
	return claims, nil
}

// without returns the claims without a run of them that is not needed for the effect, or all.
func (s *sweepRun) without(ctx context.Context, claims []Claim, size int) ([]Claim, error) {
	for start := 0; start < len(claims) && s.left > 0; start += size {
		rest := slices.Delete(slices.Clone(claims), start, min(start+size, len(claims)))
		if len(rest) == 0 {
			continue
		}
		got, _, err := s.send(ctx, rest)
		if err != nil {
			return nil, err
		}
		if got != "" {
			return rest, nil
		}
	}
	return claims, nil
}

// send sends claims. It describes their effect, or tells whether the refusal is the usual one.
func (s *sweepRun) send(ctx context.Context, claims []Claim) (got string, refusedAsUsual bool, err error) {
	request, answer, err := s.try(ctx, claims, s.trial.Token)
	if err != nil || answer == nil {
		return "", false, err
	}
	got = effect(s.trial, request, answer)
	refusedAsUsual = answer.Status == s.base.status
	tells := answer.Status/100 == 2 || answer.Status/100 == 4 && answer.Status != http.StatusTooManyRequests
	if got != "" || refusedAsUsual || !s.CarryToken || !tells {
		return got, refusedAsUsual, nil
	}
	_, twin, err := s.try(ctx, claims, Tamper(s.trial.Token))
	if err != nil || twin == nil || twin.Status != s.base.status {
		return "", false, err
	}
	_, again, err := s.try(ctx, claims, s.trial.Token)
	if err != nil || again == nil || again.Status != answer.Status {
		return "", false, err
	}
	return fmt.Sprintf("status %d, and status %d if the signature is broken", answer.Status, twin.Status), false, nil
}

// try sends claims with a token. The answer is nil if the server closes the connection.
func (s *sweepRun) try(ctx context.Context, claims []Claim, token string) (bench.Request, *bench.Answer, error) {
	s.left--
	request := s.base.Make()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	for _, claim := range claims {
		claim.Add(&request, token)
	}
	answer, err := s.probe.Send(ctx, request)
	if err != nil && ctx.Err() == nil {
		return request, nil, nil
	}
	return request, answer, err
}

// HeaderClaim returns a claim in a header.
func HeaderClaim(name, value string) Claim {
	return Claim{
		Name: name + ": " + value,
		Slot: strings.ToLower(name),
		Add:  func(request *bench.Request, _ string) { request.Header[name] = []string{value} },
	}
}
