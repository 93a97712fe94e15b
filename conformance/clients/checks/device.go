package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// deviceChecks are checks of client/device: a person who approves on another device (RFC 8628).
func deviceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/device/shown",
				Level:     check.Must,
				Reference: "RFC 8628 section 3.3",
				Sentence: "The person is shown the code and where to type it, and is sent to no page for an " +
					"authorization code.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run: byDevice(approvedAt(2), func(_ *bench.Probe, l *lab.Lab) error {
				for _, want := range []string{lab.UserCode, l.VerificationURI(l.Authority())} {
					if !strings.Contains(l.Output(), want) {
						return l.Mismatch(want+" in what the person is shown", "it is missing")
					}
				}
				if authorized(l) {
					return l.Mismatch("no authorization request", "one")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/resource",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "MCP authorization, Resource Parameter Implementation; RFC 8707 section 2",
				Sentence: "The request for a device code and the requests for its token name the MCP server as " +
					"the resource.",
				Covers: []string{"client-resource-authorization", "client-resource-token"},
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run: byDevice(approvedAt(2), func(_ *bench.Probe, l *lab.Lab) error {
				for _, one := range slices.Concat(l.DeviceRequests(l.Authority()), l.Questions(l.Authority())) {
					if got := one.Form.Get("resource"); got != l.URL() {
						return l.Mismatch("resource "+l.URL(), fmt.Sprintf("%q at %s", got, one.Path))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/interval",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 sections 3.2 and 3.5",
				Sentence: "Between two questions for the token of a device code at least the interval goes by that " +
					"the authorization server names.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run: byDevice(approvedAt(5), func(p *bench.Probe, l *lab.Lab) error {
				return paced(p, l, func(int) int { return lab.DeviceInterval })
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/slow-down",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence:  "A client that is told to slow down waits five seconds longer from then on.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run: byDevice(func(n int) string {
				return map[int]string{1: "slow_down", 2: "authorization_pending"}[n]
			}, func(p *bench.Probe, l *lab.Lab) error {
				return paced(p, l, func(int) int { return lab.DeviceInterval + slowDown })
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/ended",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence: "When the person has refused, or the code has ended, the client asks no more about it, and " +
					"says what happened.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       deviceEnded,
		},
		{
			Rule: check.Rule{
				ID:       "client/device/address",
				Level:    check.Policy,
				Severity: check.High,
				Reference: "RFC 8628 sections 3.2 and 5.4; MCP 2026-07-28 Security Best Practices, Authorization URL " +
					"Validation",
				Sentence: "The person is sent with a device code to https or loopback alone: other addresses are " +
					"neither shown as the place to go to nor opened.",
				Covers: []string{"CL-002"},
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       deviceAddress,
		},
	}
}

// deviceEnded tries client/device/ended.
func deviceEnded(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Device: approvedAt(1)}, device); err != nil {
		return err
	}
	for _, code := range []string{"access_denied", "expired_token"} {
		l := try(ctx, p, lab.Script{Device: func(int) string { return code }}, device)
		perCode := map[string]int{}
		for _, one := range l.Questions(l.Authority()) {
			perCode[one.Form.Get("device_code")]++
		}
		for _, n := range perCode {
			if n > 1 {
				return l.Mismatch("no question after "+code, fmt.Sprintf("%d questions", n))
			}
		}
		switch {
		case len(perCode) == 0:
			return &check.CannotJudge{
				Reason: "the client did not come as far as a question for the token",
				Err:    ending(l),
			}
		case l.Err() == nil:
			return &check.Mismatch{Want: "an error that says so after " + code, Got: "none", Level: check.Should}
		}
	}
	return nil
}

// deviceAddress tries client/device/address.
func deviceAddress(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Device: approvedAt(1)}, device); err != nil {
		return err
	}
	for _, member := range []string{"verification_uri", "verification_uri_complete"} {
		for _, address := range []string{
			"javascript:alert(1)",
			"http://login.example.com/device",
			"file:///etc/passwd",
			"https://login.example.com/\x1b]8;;",
			"--help",
		} {
			l := try(
				ctx,
				p,
				lab.Script{
					Device:       approvedAt(1),
					DeviceAnswer: func(_ *lab.Lab, answer map[string]any) { answer[member] = address },
				},
				device,
			)
			name := fmt.Sprintf("no use of the %s %q", member, address)
			switch {
			case slices.Contains(l.Opened(), address):
				return l.Insecure(name, "it was opened")
			case strings.Contains(l.Told(), address):
				return l.Insecure(name, "the person was sent there")
			case len(l.DeviceRequests(l.Authority())) == 0:
				return &check.CannotJudge{Reason: "the client did not ask for a device code", Err: ending(l)}
			}
		}
	}
	return nil
}

// slowDown is how many seconds more a client waits that was told to slow down.
const slowDown = 5

// approvals is how many seconds a run may take in which a person approves on another device,
// besides what any run may.
const approvals = 15

func device(task *bench.Task) { task.Device = true }

// approvedAt is a person who has approved when the nth question comes.
func approvedAt(n int) func(int) string {
	return func(question int) string {
		if question < n {
			return "authorization_pending"
		}
		return ""
	}
}

// byDevice judges a client whose person approves on another device.
func byDevice(answers func(n int) string, judge func(p *bench.Probe, l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		patient := *p
		if patient.Target.Timeout == 0 {
			patient.Target.Timeout = lab.RunTimeout
		}
		patient.Target.Timeout += p.Target.Seconds(approvals)
		l, err := control(ctx, &patient, lab.Script{Device: answers}, device)
		if err != nil {
			return err
		}
		return judge(p, l)
	}
}

// paced wants so many seconds between the nth question for a token and the next.
func paced(p *bench.Probe, l *lab.Lab, least func(n int) int) error {
	asked := l.Questions(l.Authority())
	if len(asked) < 2 {
		return &check.CannotJudge{Reason: "the client did not ask twice", Err: ending(l)}
	}
	for i := range asked[1:] {
		want := p.Target.Seconds(least(i))
		got := asked[i+1].At.Sub(asked[i].At)
		if got < want {
			return l.Mismatch(
				fmt.Sprintf("at least %v between question %d and the next", want, i+1),
				got.Round(time.Millisecond).String(),
			)
		}
	}
	return nil
}
