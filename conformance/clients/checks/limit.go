package checks

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/internal/exchange"
)

// limitChecks are checks of client/limit: responses that are too long or too slow.
func limitChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/limit/metadata",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 7.7",
				Sentence:  "The client stops reading a metadata document that has no end.",
				Covers:    []string{"CL-027"},
			},
			Run: limitMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/token",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.3",
				Sentence:  "The client stops reading a token response that has no end.",
				Covers:    []string{"CL-027"},
			},
			Run: limitToken,
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/unpacked",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9110 section 8.4.1; CWE-409",
				Sentence: "The client gives up on a small compressed document that becomes huge when it is " +
					"decompressed.",
				Covers: []string{"CL-027"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedMetadata,
				metadataUnpacked,
				variant{
					"protected resource metadata that is compressed a thousandfold",
					lab.Script{Intercept: compressedMetadata},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/challenge",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 11.6.1",
				Sentence:  "A challenge of many kilobytes costs no noticeable time.",
				Covers:    []string{"CL-026"},
			},
			Run: ifItEnds(noHarm(
				lab.Script{},
				nil,
				hung,
				longChallenge("separators", strings.Repeat(", ", 6000)),
				longChallenge("an unfinished quote", `Bearer realm="`+strings.Repeat("a\\", 6000)),
				longChallenge("a thousand challenges", strings.Repeat("A b=c, ", 1000)),
				longChallenge("one long space", "Bearer"+strings.Repeat(" ", 12000)+"x"),
				longChallenge("equals signs", "Bearer "+strings.Repeat("=", 12000)),
				longChallenge("a mebibyte", `Bearer realm="`+strings.Repeat("a", 1<<20)+`"`),
			)),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/nested",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "CWE-674; RFC 8259 section 9",
				Sentence: "The client gives up on a document that is nested 100,000 levels deep, and uses " +
					"nothing from it.",
				Covers: []string{"CL-027"},
			},
			Run: ifItEnds(noHarm(
				lab.Script{},
				fetchedMetadata,
				hungOrUsed,
				metadataAnswer("nested protected resource metadata", http.StatusOK, nestedMetadata()),
			)),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/redirects",
				Level:     check.Policy,
				Severity:  check.Low,
				Revisions: since20250618,
				Reference: "RFC 9110 section 15.4; RFC 9728 section 7.7",
				Sentence:  "The client gives up on metadata that redirects without end.",
				Covers:    []string{"CL-003"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedMetadata,
				endlessRedirects,
				variant{"endless redirects", lab.Script{Intercept: redirectOnAndOn}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/slow",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 7.7; CWE-400",
				Sentence: "When an answer of the sign-in never comes, or comes byte by byte, the client " +
					"gives up within a minute.",
				Covers: []string{"CL-027"},
			},
			Run: ifItEnds(limitSlow),
		},
	}
}

// ifItEnds skips a check for a client that does not end after a failed sign-in.
func ifItEnds(run runFunc) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := wantEnd(ctx, p); err != nil {
			return err
		}
		return run(ctx, p)
	}
}

// limitToken tries client/limit/token.
func limitToken(ctx context.Context, p *bench.Probe) error {
	return sendEndless(ctx, p, endlessDocument{
		name:        "token response",
		answers:     isTokenRequest,
		contentType: "application/json",
		start:       `{"access_token":"`,
		more:        strings.Repeat("a", 64<<10),
	})
}

func isTokenRequest(r *lab.Request) bool { return r.Form.Get("grant_type") != "" }

// metadataUnpacked reports that the client used the decompressed metadata.
func metadataUnpacked(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool { return r.Party == lab.Issuer }) {
		return fmt.Sprintf("%d MiB of metadata were decompressed and used", unpackedBytes>>20)
	}
	return ""
}

// hung reports that the run had to be cancelled.
func hung(l *lab.Lab) string {
	if errors.Is(l.Err(), lab.ErrTimeUp) {
		return "the run had to be cancelled"
	}
	return ""
}

// hungOrUsed reports that the run had to be cancelled, or that the metadata was used.
func hungOrUsed(l *lab.Lab) string {
	if errors.Is(l.Err(), lab.ErrTimeUp) {
		return "the run had to be cancelled"
	}
	return secondUsed(l)
}

// limitMetadata tries client/limit/metadata.
func limitMetadata(ctx context.Context, p *bench.Probe) error {
	isIssuerMetadata := func(r *lab.Request) bool {
		return r.Party == lab.Issuer && strings.HasPrefix(r.Path, "/.well-known/o")
	}
	document := endlessDocument{
		name:        "protected resource metadata",
		answers:     isResourceMetadata,
		contentType: "application/json",
		start:       `{"resource":"`,
		more:        strings.Repeat("a", 64<<10),
	}
	if err := sendEndless(ctx, p, document); err != nil {
		return err
	}
	document.name = "authorization server metadata"
	document.answers = isIssuerMetadata
	return sendEndless(ctx, p, document)
}

func isResourceMetadata(r *lab.Request) bool { return strings.HasPrefix(r.Path, resourceRoot) }

// longChallenge returns a variant with this challenge.
func longChallenge(name, challenge string) variant {
	lines := func(*lab.Lab) []string { return []string{challenge} }
	return variant{"a challenge of " + name, lab.Script{Challenge: lines}}
}

// hop precedes the number of a redirect in its path.
const hop = "/hop-"

// mostRedirects is more than browsers and HTTP libraries follow. The chain ends after lastRedirect.
const (
	mostRedirects = 60
	lastRedirect  = 100
)

// redirectOnAndOn answers a request for protected resource metadata with another redirect.
func redirectOnAndOn(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
	if r.Party != lab.Server || !isResourceMetadata(r) {
		return false
	}
	next := hops(r.Path) + 1
	if next > lastRedirect {
		return false
	}
	http.Redirect(w, request, l.Origin(lab.Server)+resourceRoot+hop+strconv.Itoa(next), http.StatusFound)
	return true
}

// hops returns the number of redirects that led to a path.
func hops(path string) int {
	_, number, _ := strings.Cut(path, hop)
	n, _ := strconv.Atoi(number) // the first path has no number
	return n
}

// endlessRedirects reports how many redirects the client followed, if there are too many.
func endlessRedirects(l *lab.Lab) string {
	most := 0
	for _, request := range l.Record() {
		most = max(most, hops(request.Path))
	}
	if most > mostRedirects {
		return fmt.Sprintf("%d redirects of one document were followed", most)
	}
	return ""
}

// nestedMetadata returns a body for metadataAnswer with a deeply nested member.
func nestedMetadata() string {
	return `{"resource":"%r","x_deep":` + strings.Repeat("[", nestingDepth) +
		strings.Repeat("]", nestingDepth) + `,"authorization_servers":["%s"]}`
}

// compressedMetadata answers a request for protected resource metadata with the right document,
// compressed, with 16 MiB of padding.
func compressedMetadata(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if !isResourceMetadata(r) {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	to, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return false
	}
	defer to.Close()
	fmt.Fprintf(to, `{"resource":%q,"authorization_servers":[%q],"x_padding":"`, l.URL(), l.IssuerID(lab.Issuer))
	padding := []byte(strings.Repeat("a", 64<<10))
	for n := 0; n < unpackedBytes; n += len(padding) {
		if _, err := to.Write(padding); err != nil {
			return true
		}
	}
	fmt.Fprint(to, `"}`)
	return true
}

// unpackedBytes is the size of the decompressed document in bytes, far more than metadata needs.
const unpackedBytes = 16 << 20

// maxRead is the size in bytes after which a client must have stopped reading.
const maxRead = 32 << 20

// An endlessDocument is a response without an end.
type endlessDocument struct {
	name        string // for people
	answers     func(*lab.Request) bool
	contentType string
	start       string
	more        string // repeated after start
	optional    bool   // the client may never ask for it
}

// sendEndless answers some requests with an endless document, and wants the client to stop reading.
func sendEndless(ctx context.Context, p *bench.Probe, document endlessDocument) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	var sent atomic.Int64
	var reached, stopped atomic.Bool
	var latest atomic.Int64 // when the client took a block, by the clock
	clock := exchange.StartClock(ctx)
	answer := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if !document.answers(r) {
			return false
		}
		reached.Store(true)
		w.Header().Set("Content-Type", document.contentType)
		w.WriteHeader(http.StatusOK)
		text := []byte(document.start + document.more)
		for n := 0; n < maxRead && request.Context().Err() == nil; n += len(text) {
			if _, err := w.Write(text); err != nil {
				break
			}
			if total := int64(n + len(text)); total > sent.Load() {
				sent.Store(total)
			}
			latest.Store(int64(clock.Elapsed()))
			text = []byte(document.more)
		}
		if !l.TimeUp() {
			stopped.Store(true)
		}
		return true
	}
	l := runClient(ctx, p, lab.Script{Intercept: answer})
	switch {
	case !reached.Load() && document.optional:
		return nil
	case !reached.Load():
		return &check.CannotJudge{Reason: "the client did not reach the " + document.name, Err: ending(l)}
	case sent.Load() >= maxRead:
		return l.Mismatch("the client to stop reading: "+document.name, fmt.Sprintf("%d MiB read", maxRead>>20))
	case sent.Load() > 0 && !stopped.Load() && l.TimeUp() &&
		clock.Elapsed()-time.Duration(latest.Load()) < stillReading:
		return &check.CannotJudge{Reason: fmt.Sprintf(
			"the client was still reading the %s after %.1f MiB when its time was up; give it more time",
			document.name, float64(sent.Load())/(1<<20),
		)}
	}
	return nil
}

// stillReading bounds the time between two blocks for a client that reads on. The buffers of a
// connection hold megabytes, so a slow client does not take blocks steadily.
const stillReading = 5 * time.Second

// nestingDepth is the depth of the nested document, over a hundred times what metadata needs.
const nestingDepth = 100_000

// patienceSeconds is how many seconds a client may wait for one response. A client that waits for
// exactly that long gets graceSeconds more.
const (
	patienceSeconds = 60
	graceSeconds    = 5
)

// A slowAnswer is a response that comes byte by byte, or not at all.
type slowAnswer struct {
	name    string // for people
	answers func(r *lab.Request) bool
	more    string // sent again and again; "" sends nothing
}

// slowAnswers returns the responses that client/limit/slow slows down.
func slowAnswers() []slowAnswer {
	isResource := func(r *lab.Request) bool { return r.Path == resourcePath }
	isIssuer := func(r *lab.Request) bool { return r.Party == lab.Issuer && r.Path == issuerOAuth }
	return []slowAnswer{
		{"protected resource metadata byte by byte", isResource, " "},
		{"no authorization server metadata", isIssuer, ""},
		{"a token byte by byte", isTokenRequest, " "},
	}
}

// limitSlow tries client/limit/slow. The runs are concurrent, because each of them waits.
func limitSlow(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	slow := *p
	slow.Target.Timeout = max(p.Target.Timeout, lab.RunTimeout) + p.Target.Seconds(patienceSeconds+graceSeconds)
	answers := slowAnswers()
	found := make(chan error, len(answers))
	for _, answer := range answers {
		go func() { found <- answer.try(ctx, &slow) }()
	}
	var err error
	for range answers {
		err = errors.Join(err, <-found)
	}
	return err
}

// errHangs ends a run whose client still waits for a slow answer.
var errHangs = errors.New("the client waits for too long")

// try wants the run to end by itself. The time begins with the request that gets the slow answer.
func (a slowAnswer) try(ctx context.Context, p *bench.Probe) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reached atomic.Int64
	answer := func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if !a.answers(r) {
			return false
		}
		if reached.Add(1) == 1 {
			go endAfter(ctx, p.Target.Seconds(patienceSeconds+graceSeconds), cancel)
		}
		drip(w, request, a.more)
		return true
	}
	l := runClient(ctx, p, lab.Script{Intercept: answer})
	switch {
	case reached.Load() == 0:
		return notReached(l, a.name)
	case reached.Load() > 1 || !errors.Is(l.Err(), lab.ErrTimeUp): // it gave up, perhaps to try again
		return nil
	case !errors.Is(context.Cause(ctx), errHangs): // it began late, or the check was cancelled
		const reason = "the run ended before a minute with this answer was over: %s; give it more time"
		return &check.CannotJudge{Reason: fmt.Sprintf(reason, a.name), Err: ending(l)}
	}
	return l.Mismatch(
		fmt.Sprintf("the client to end within %d seconds: %s", patienceSeconds, a.name),
		"the run had to be cancelled",
	)
}

// endAfter ends a run when the time for an answer is over.
func endAfter(ctx context.Context, limit time.Duration, end context.CancelCauseFunc) {
	waiting, stop := exchange.Within(ctx, limit)
	defer stop()
	<-waiting.Done()
	if errors.Is(waiting.Err(), context.DeadlineExceeded) {
		end(errHangs)
	}
}

// dripPause is the pause between two bytes of a slow response.
const dripPause = 50 * time.Millisecond

// drip sends more after each pause, or nothing if it is "", until the client disconnects.
func drip(w http.ResponseWriter, request *http.Request, more string) {
	if more != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
	}
	tick := time.NewTicker(dripPause)
	defer tick.Stop()
	for {
		select {
		case <-request.Context().Done():
			return
		case <-tick.C:
		}
		if more == "" {
			continue
		}
		if _, err := w.Write([]byte(more)); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}
