package checks

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// limitChecks are checks of client/limit: answers that are longer or slower than anybody should
// wait for.
func limitChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/limit/metadata",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 7.7",
				Sentence:  "A document without an end is given up on.",
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
				Sentence:  "An answer of the token endpoint without an end is given up on.",
				Covers:    []string{"CL-027"},
			},
			Run: func(ctx context.Context, p *bench.Probe) error {
				return endless(
					ctx,
					p,
					"token response",
					func(r *lab.Request) bool { return r.Form.Get("grant_type") != "" },
					"application/json",
					`{"access_token":"`,
					strings.Repeat("a", 64<<10),
				)
			},
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/unpacked",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9110 section 8.4.1; CWE-409",
				Sentence: "A compressed document that is small on its way and huge when it is unpacked is " +
					"given up on.",
				Covers: []string{"CL-027"},
			},
			Run: noHarm(lab.Script{}, func(l *lab.Lab) bool {
				return len(l.Find(func(r *lab.Request) bool { return strings.HasPrefix(r.Path, resourceRoot) })) > 0
			}, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Issuer })) > 0 {
					return fmt.Sprintf("%d MiB of metadata were unpacked and used", unpacked>>20)
				}
				return ""
			}, variant{"protected resource metadata that is packed a thousandfold", lab.Script{Intercept: packed}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/challenge",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 11.6.1",
				Sentence:  "A challenge of many kilobytes costs no time worth mentioning.",
				Covers:    []string{"CL-026"},
			},
			Run: noHarm(
				lab.Script{},
				nil,
				func(l *lab.Lab) string {
					if errors.Is(l.Err(), lab.ErrTimeUp) {
						return "the client did not end"
					}
					return ""
				},
				long("separators", strings.Repeat(", ", 6000)),
				long("an unfinished quote", `Bearer realm="`+strings.Repeat("a\\", 6000)),
				long("a thousand challenges", strings.Repeat("A b=c, ", 1000)),
				long("one long blank", "Bearer"+strings.Repeat(" ", 12000)+"x"),
				long("equals signs", "Bearer "+strings.Repeat("=", 12000)),
				long("a mebibyte", `Bearer realm="`+strings.Repeat("a", 1<<20)+`"`),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/nested",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "CWE-674; RFC 8259 section 9",
				Sentence: "A document that is nested a hundred thousand times is given up on, and says " +
					"nothing by that.",
				Covers: []string{"CL-027"},
			},
			Run: noHarm(
				lab.Script{},
				fetchedMetadata,
				func(l *lab.Lab) string {
					if errors.Is(l.Err(), lab.ErrTimeUp) {
						return "the client did not end"
					}
					return secondUsed(l)
				},
				answering(
					"protected resource metadata that is nested",
					http.StatusOK,
					`{"resource":"%r","x_deep":`+strings.Repeat(
						"[",
						deep,
					)+strings.Repeat("]", deep)+`,"authorization_servers":["%s"]}`,
				),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/limit/slow",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 7.7; CWE-400",
				Sentence: "An answer of the sign-in that does not come, or comes byte by byte for ever, is given up " +
					"on within a minute.",
				Covers: []string{"CL-027"},
			},
			Run: slow,
		},
	}
}

// limitMetadata tries client/limit/metadata.
func limitMetadata(ctx context.Context, p *bench.Probe) error {
	for _, at := range []struct{ name, path string }{
		{"protected resource metadata", resourceRoot},
		{"authorization server metadata", "/.well-known/o"},
	} {
		if err := endless(ctx, p, at.name, func(r *lab.Request) bool {
			return strings.HasPrefix(r.Path, at.path) && (at.path == resourceRoot || r.Party == lab.Issuer)
		}, "application/json", `{"resource":"`, strings.Repeat("a", 64<<10)); err != nil {
			return err
		}
	}
	return nil
}

func long(name, challenge string) variant {
	return variant{
		"a challenge of " + name,
		lab.Script{Challenge: func(*lab.Lab) []string { return []string{challenge} }},
	}
}

// packed answers a request for protected resource metadata with a document that is right, and
// compressed since its most part is nothing.
func packed(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if !strings.HasPrefix(r.Path, resourceRoot) {
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
	for n := 0; n < unpacked; n += len(padding) {
		if _, err := to.Write(padding); err != nil {
			return true
		}
	}
	fmt.Fprint(to, `"}`)
	return true
}

// unpacked is how long a document becomes that is packed, in bytes: no metadata need as much.
const unpacked = 16 << 20

// enough is when a document is too long for anybody to go on reading, in bytes.
const enough = 32 << 20

// endless answers one kind of request with a document that has no end, and wants the client to stop
// reading.
func endless(
	ctx context.Context, p *bench.Probe, name string, is func(*lab.Request) bool, kind, beginning, more string,
) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	var sent, met atomic.Int64
	l := try(
		ctx,
		p,
		lab.Script{Intercept: func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
			if !is(r) {
				return false
			}
			met.Add(1)
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(http.StatusOK)
			text := []byte(beginning + more)
			for n := 0; n < enough && request.Context().Err() == nil; n += len(text) {
				if _, err := w.Write(text); err != nil {
					break
				}
				if total := int64(n + len(text)); total > sent.Load() {
					sent.Store(total)
				}
				text = []byte(more)
			}
			return true
		}},
	)
	switch {
	case met.Load() == 0:
		return &check.CannotJudge{Reason: "the client did not come as far as the " + name, Err: ending(l)}
	case sent.Load() >= enough:
		return l.Mismatch("an end of reading: "+name, fmt.Sprintf("%d MiB read", enough>>20))
	}
	return nil
}

// deep is how often a document is nested: no metadata is a hundredth of it.
const deep = 100_000

// patience is how many seconds a client may wait for one answer.
const patience = 60

// slow has one answer after the other come byte by byte, or not at all. The clients run at the same
// time, since each has to wait.
func slow(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	patient := *p
	patient.Target.Timeout = p.Target.Seconds(patience)
	variants := []struct {
		name string
		is   func(l *lab.Lab, r *lab.Request) bool
		more string
	}{
		{
			"protected resource metadata byte by byte",
			func(_ *lab.Lab, r *lab.Request) bool { return r.Path == resourcePath },
			" ",
		},
		{"no authorization server metadata", func(_ *lab.Lab, r *lab.Request) bool {
			return r.Party == lab.Issuer &&
				r.Path == issuerOAuth
		}, ""},
		{"a token byte by byte", func(_ *lab.Lab, r *lab.Request) bool { return r.Form.Get("grant_type") != "" }, " "},
	}
	found := make(chan error, len(variants))
	for _, one := range variants {
		go func() {
			var met atomic.Bool
			l := try(
				ctx,
				&patient,
				lab.Script{
					Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
						if !one.is(l, r) {
							return false
						}
						met.Store(true)
						drip(w, request, one.more)
						return true
					},
				},
			)
			switch {
			case !met.Load():
				found <- &check.CannotJudge{Reason: "the client did not come as far as " + one.name, Err: ending(l)}
			case errors.Is(l.Err(), lab.ErrTimeUp):
				found <- l.Mismatch(
					fmt.Sprintf("an end of waiting within %d seconds: %s", patience, one.name),
					"the client had to be ended",
				)
			default:
				found <- nil
			}
		}()
	}
	var err error
	for range variants {
		err = errors.Join(err, <-found)
	}
	return err
}

// dripping is the pause between two bytes of a slow answer.
const dripping = 50 * time.Millisecond

// drip answers a bit at a time, or not at all, until whoever has asked goes away.
func drip(w http.ResponseWriter, request *http.Request, more string) {
	if more != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
	}
	tick := time.NewTicker(dripping)
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
