package checks

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// streamResumedChecks returns the checks of server/stream about resuming with Last-Event-ID.
func streamResumedChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/stream/resumed-by-another",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: before(check.R20260728),
				Reference: "MCP transports, Resumability and Redelivery; MCP security best practices, Session " +
					"Hijacking",
				Sentence: "A user who resumes with the event ID of another user's stream gets none of its " +
					"messages.",
				Covers: []string{"RS-093", "server-resume-stream-isolated"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(streamResumedByAnother),
		},
	}
}

// A brokenStream is a stream of the good token's user that ended after an event.
type brokenStream struct {
	after  string // the ID of the last event that arrived
	marker string // of a message after it
}

// streamResumedByAnother resumes streams of one user as another, and then as their own user. A
// stream that its own user cannot resume says nothing.
func streamResumedByAnother(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	listening, err := listeningStream(ctx, p, trial)
	if err != nil {
		return err
	}
	answering, err := answeringStream(ctx, p, trial)
	if err != nil {
		return err
	}
	tried := 0
	for _, stream := range []*brokenStream{listening, answering} {
		if stream == nil {
			continue
		}
		stolen, err := stream.replays(ctx, p, attack.StreamRequest(other, other.Token), listenFor)
		if err != nil {
			return err
		}
		if stolen {
			return p.Insecure("no message of another user's stream", "one that the other user has not received yet")
		}
		owned, err := stream.replays(ctx, p, attack.StreamRequest(trial.Session, trial.Token), ownPatience)
		if err != nil {
			return err
		}
		if owned {
			tried++
		}
	}
	if tried == 0 {
		return &check.NotApplicable{Reason: "its own user cannot resume a stream"}
	}
	return nil
}

// ownPatience is how long the stream's own user waits for a message. A busy server takes longer
// than listenFor.
const ownPatience = 4 * listenFor

// replays reports whether a request that resumes the stream gets the message within a time.
func (b *brokenStream) replays(
	ctx context.Context,
	p *bench.Probe,
	request bench.Request,
	patience time.Duration,
) (bool, error) {
	request.Header.Set("Last-Event-Id", b.after)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	events, err := p.Stream(bounded, request)
	switch {
	case bounded.Err() != nil:
		return false, ctx.Err() // no message within the time
	case err != nil || events == nil:
		return false, err
	}
	defer events.Close()
	for lines := bufio.NewScanner(events); lines.Scan(); {
		if strings.Contains(lines.Text(), b.marker) {
			return true, nil
		}
	}
	return false, ctx.Err()
}

// listeningStream listens while the tool runs twice. It returns the stream as it is after the event
// of the first run, or nil if the events have no IDs.
func listeningStream(ctx context.Context, p *bench.Probe, trial *bench.Trial) (*brokenStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := p.Stream(ctx, attack.StreamRequest(trial.Session, trial.Token))
	if err != nil || events == nil {
		return nil, err
	}
	defer events.Close()
	first := attack.WithToken(trial.Token, trial.Request())
	second := attack.WithToken(trial.Token, trial.Request())
	for _, request := range []bench.Request{first, second} {
		if _, err := p.Clone().Send(ctx, request); err != nil {
			return nil, err
		}
	}
	defer time.AfterFunc(ownPatience, cancel).Stop()
	ids := idsUntil(events, second.Marker())
	if len(ids) < 2 {
		return nil, nil
	}
	return &brokenStream{after: ids[len(ids)-2], marker: second.Marker()}, nil
}

// answeringStream returns the stream that answers a call as it is after its first event, or nil if
// the answer is not a stream of several events with IDs.
func answeringStream(ctx context.Context, p *bench.Probe, trial *bench.Trial) (*brokenStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := attack.WithToken(trial.Token, trial.Request())
	events, err := p.Stream(ctx, request)
	if err != nil || events == nil {
		return nil, err
	}
	defer events.Close()
	defer time.AfterFunc(ownPatience, cancel).Stop()
	ids := idsUntil(events, request.Marker())
	if len(ids) < 2 {
		return nil, nil
	}
	return &brokenStream{after: ids[0], marker: request.Marker()}, nil
}

// idsUntil returns the IDs of the events up to the event with a text.
func idsUntil(events io.Reader, text string) []string {
	var ids []string
	for lines := bufio.NewScanner(events); lines.Scan(); {
		if id, isID := strings.CutPrefix(lines.Text(), "id:"); isID {
			ids = append(ids, strings.TrimSpace(id))
		}
		if strings.Contains(lines.Text(), text) {
			break
		}
	}
	return ids
}
