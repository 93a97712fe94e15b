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

// deviceChecks are checks of client/device: the device authorization grant (RFC 8628).
func deviceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/device/shown",
				Level:     check.Should,
				Reference: "RFC 8628 section 3.3",
				Sentence: "The client shows the person the code and the verification URI, and makes no " +
					"authorization request.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       judgeDevice(approveAt(2), wantCodeShown),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/resource",
				Level:     check.Must,
				Revisions: since20250618,
				Reference: "MCP authorization, Resource Parameter Implementation; RFC 8707 section 2",
				Sentence: "The device authorization request and its token requests name the MCP server as " +
					"the resource.",
				Covers: []string{"client-resource-authorization", "client-resource-token"},
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       judgeDevice(approveAt(2), wantDeviceResource),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/interval",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 sections 3.2 and 3.5",
				Sentence: "Between two polls for the token the client waits at least the interval that the " +
					"authorization server names.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       judgeDevice(approveAt(5), wantPauses(lab.DeviceInterval)),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/slow-down",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence:  "After slow_down the client waits five seconds longer between polls.",
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       judgeDevice(slowDownOnce, wantPauses(lab.DeviceInterval+slowDownSeconds)),
		},
		{
			Rule: check.Rule{
				ID:        "client/device/ended",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence: "After the person has refused, or the code has expired, the client stops polling " +
					"and says what happened.",
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
				Sentence: "With a device code the client sends the person only to https or loopback. It " +
					"neither shows nor opens other addresses.",
				Covers: []string{"CL-002"},
			},
			Abilities: []bench.Ability{bench.DeviceCode},
			Run:       deviceAddress,
		},
	}
}

// wantCodeShown wants the user code and the verification URI in the output.
func wantCodeShown(_ *bench.Probe, l *lab.Lab) error {
	for _, want := range []string{lab.UserCode, l.VerificationURI(l.Authority())} {
		if !strings.Contains(l.Output(), want) {
			return l.Mismatch(want+" in the output", "it is missing")
		}
	}
	if authorized(l) {
		return l.Mismatch("no authorization request", "one")
	}
	return nil
}

// wantDeviceResource wants the resource in each request of the device flow.
func wantDeviceResource(_ *bench.Probe, l *lab.Lab) error {
	for _, request := range slices.Concat(l.DeviceRequests(l.Authority()), l.Polls(l.Authority())) {
		if err := wantResource(l, request.Form.Get("resource")); err != nil {
			return err
		}
	}
	return nil
}

// deviceEnded tries client/device/ended.
func deviceEnded(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Device: approveAt(1)}, onDevice); err != nil {
		return err
	}
	for _, code := range []string{"access_denied", "expired_token"} {
		l := runClient(ctx, p, lab.Script{Device: func(int) string { return code }}, onDevice)
		perCode := map[string]int{}
		for _, request := range l.Polls(l.Authority()) {
			perCode[request.Form.Get("device_code")]++
		}
		for _, n := range perCode {
			if n > 1 {
				return l.Mismatch("no poll after "+code, fmt.Sprintf("%d polls", n))
			}
		}
		switch {
		case len(perCode) == 0:
			return &check.CannotJudge{Reason: "the client did not poll for the token", Err: ending(l)}
		case l.Err() == nil:
			return &check.Mismatch{Want: "an error that reports " + code, Got: "none", Level: check.Should}
		}
	}
	return nil
}

// deviceAddress tries client/device/address.
func deviceAddress(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Device: approveAt(1)}, onDevice); err != nil {
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
			change := func(_ *lab.Lab, answer map[string]any) { answer[member] = address }
			l := runClient(ctx, p, lab.Script{Device: approveAt(1), DeviceAnswer: change}, onDevice)
			name := fmt.Sprintf("no use of the %s %q", member, address)
			switch {
			case slices.Contains(l.Opened(), address):
				return l.Insecure(name, "it was opened")
			case strings.Contains(l.Printed(), address):
				return l.Insecure(name, "the person was sent there")
			case len(l.DeviceRequests(l.Authority())) == 0:
				return &check.CannotJudge{Reason: "the client did not ask for a device code", Err: ending(l)}
			}
		}
	}
	return nil
}

// slowDownSeconds is added to the interval after slow_down.
const slowDownSeconds = 5

// approvalSeconds is added to the timeout of a run in which a person approves on another device.
const approvalSeconds = 15

// onDevice makes the person approve on another device.
func onDevice(task *bench.Task) { task.Device = true }

// approveAt returns a script in which the person has approved by the nth poll.
func approveAt(n int) func(int) string {
	return func(poll int) string {
		if poll < n {
			return "authorization_pending"
		}
		return ""
	}
}

// judgeDevice runs the device authorization grant with a script, and then judges the record.
func judgeDevice(script func(n int) string, verdict func(p *bench.Probe, l *lab.Lab) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		slow := *p
		if slow.Target.Timeout == 0 {
			slow.Target.Timeout = lab.RunTimeout
		}
		slow.Target.Timeout += p.Target.Seconds(approvalSeconds)
		l, err := completeTask(ctx, &slow, lab.Script{Device: script}, onDevice)
		if err != nil {
			return err
		}
		return verdict(p, l)
	}
}

// slowDownOnce is a script that answers slow_down once, and approves at the third poll.
func slowDownOnce(n int) string {
	return map[int]string{1: "slow_down", 2: "authorization_pending"}[n]
}

// wantPauses wants at least this many seconds between two polls.
func wantPauses(seconds int) func(p *bench.Probe, l *lab.Lab) error {
	return func(p *bench.Probe, l *lab.Lab) error {
		polls := l.Polls(l.Authority())
		if len(polls) < 2 {
			return &check.CannotJudge{Reason: "the client did not poll twice", Err: ending(l)}
		}
		want := p.Target.Seconds(seconds)
		for i := range polls[1:] {
			if got := polls[i+1].At.Sub(polls[i].At); got < want {
				return l.Mismatch(
					fmt.Sprintf("at least %v between poll %d and the next", want, i+1),
					got.Round(time.Millisecond).String(),
				)
			}
		}
		return nil
	}
}
