package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// deviceChecks returns the checks of authorization-server/device: the device authorization grant
// (RFC 8628).
func deviceChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/response",
				Level:     check.Must,
				Reference: "RFC 8628 section 3.2",
				Sentence:  "The answer has device_code, user_code, verification_uri and expires_in.",
			},
			Run: deviceResponse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/pending",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8628 section 3.5",
				Sentence:  "A device gets no tokens before a person has approved it.",
			},
			Run: devicePending,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/confirmed",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8628 sections 3.3.1 and 5.4",
				Sentence:  "A link with the user code does not approve a device without the person.",
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   deviceConfirmed,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/single-use",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8628 section 3.4; RFC 6749 section 4.1.2",
				Sentence:  "A device code is redeemed once, and by its own client.",
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   deviceSingleUse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/expires",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 8628 sections 3.2 and 3.5",
				Sentence:  "A device code that is older than its expires_in is refused with the error expired_token.",
			},
			Needs: []bench.Need{bench.Scripted, bench.Clock},
			Run:   deviceExpires,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/slow-down",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence:  "A device that polls without a pause is answered with slow_down.",
			},
			Run: deviceSlowDown,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/device/kept",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "RFC 8628 section 3.5",
				Sentence:  "A device that was answered with slow_down gets its tokens when it polls slowly.",
			},
			Needs: []bench.Need{bench.Scripted, bench.Clock},
			Run:   deviceKept,
		},
	}
}

// deviceGrant is the grant type of a device.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A deviceAnswer is the answer of the device authorization endpoint.
type deviceAnswer struct {
	DeviceCode string  `json:"device_code"`
	UserCode   string  `json:"user_code"`
	Address    string  `json:"verification_uri"`
	Complete   string  `json:"verification_uri_complete"`
	ExpiresIn  float64 `json:"expires_in"` // seconds
	Interval   float64 `json:"interval"`   // seconds; 0 means 5
}

// startDevice asks for a device code. The check does not apply if the client may not use devices.
func startDevice(ctx context.Context, p *bench.Probe) (*bench.Client, *deviceAnswer, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if metadata.DeviceEndpoint == "" {
		return nil, nil, &check.NotApplicable{Reason: "the server has no device authorization endpoint"}
	}
	client, err := p.Public(ctx)
	if len(p.Target().Clients) == 0 {
		var registered *bench.Registered
		registered, err = p.MustRegister(ctx, bench.Members{
			"grant_types": []string{"authorization_code", "refresh_token", deviceGrant},
		})
		if err == nil {
			client = registered.Client()
		}
	}
	if err != nil {
		return nil, nil, err
	}
	form := url.Values{}
	if scopes := p.Target().Scopes; len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	answer, err := p.Send(ctx, p.Authenticated(metadata.DeviceEndpoint, client, form))
	if err != nil {
		return nil, nil, err
	}
	told := &deviceAnswer{}
	if err := json.Unmarshal(answer.Body, told); err != nil || answer.Status != http.StatusOK {
		return nil, nil, &check.NotApplicable{Reason: "the client may not use devices: " + answer.String()}
	}
	return client, told, nil
}

// poll redeems a device code.
func poll(
	ctx context.Context, p *bench.Probe, client *bench.Client, told *deviceAnswer,
) (*bench.Answer, *bench.Tokens, error) {
	return p.Token(ctx, client, url.Values{"grant_type": {deviceGrant}, "device_code": {told.DeviceCode}})
}

// controlDevice wants tokens for a device that the person approves before it polls.
func controlDevice(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	if err := approveDevice(ctx, p, told); err != nil {
		return err
	}
	answer, tokens, err := poll(ctx, p, client, told)
	if err == nil && tokens == nil {
		err = notApproved(told, answer)
	}
	return err
}

// deviceResponse tries authorization-server/device/response.
func deviceResponse(ctx context.Context, p *bench.Probe) error {
	_, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	isWhole := told.DeviceCode != "" && told.UserCode != "" && told.Address != "" && told.ExpiresIn > 0
	if !isWhole {
		return p.Mismatch("device_code, user_code, verification_uri and expires_in", "an answer without one of them")
	}
	return nil
}

// devicePending tries authorization-server/device/pending.
func devicePending(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	answer, tokens, err := poll(ctx, p, client, told)
	if err != nil {
		return err
	}
	return refusals(ctx, p, client, judgeRefusal(p, "a device that is not approved", "", answer, tokens,
		"authorization_pending", "slow_down"))
}

// deviceConfirmed tries authorization-server/device/confirmed. The person is signed in, and sends
// no form.
func deviceConfirmed(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	if told.Complete == "" {
		return &check.NotApplicable{Reason: "the answer has no verification_uri_complete"}
	}
	browser, err := signedIn(ctx, p, client)
	if err != nil {
		return err
	}
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		if form != nil {
			return bench.Stop(request)
		}
		return nil
	}
	if _, err := browser.Visit(ctx, told.Complete, false); err != nil {
		return err
	}
	_, tokens, err := poll(ctx, p, client, told)
	if err == nil && tokens != nil {
		return p.Insecure("no tokens before the person has agreed", "tokens")
	}
	return err
}

// deviceSingleUse tries authorization-server/device/single-use.
func deviceSingleUse(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	other, err := p.Second(ctx)
	if err != nil {
		return err
	}
	if err := approveDevice(ctx, p, told); err != nil {
		return err
	}
	_, stolen, err := poll(ctx, p, other, told)
	if err != nil {
		return err
	}
	if stolen != nil {
		return p.Insecure("no tokens for another client's device code", "tokens")
	}
	answer, tokens, err := poll(ctx, p, client, told)
	if err != nil {
		return err
	}
	if tokens == nil {
		return notApproved(told, answer)
	}
	answer, tokens, err = poll(ctx, p, client, told)
	if err != nil {
		return err
	}
	return refusals(ctx, p, client, judgeRefusal(p, "a device code for the second time", "", answer, tokens,
		"invalid_grant", "expired_token", "access_denied", "slow_down"))
}

// deviceExpires tries authorization-server/device/expires with a device that waits for approval,
// and with one that was approved in time.
func deviceExpires(ctx context.Context, p *bench.Probe) error {
	client, approved, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	if approved.ExpiresIn <= 0 || approved.ExpiresIn > maxDeviceLife {
		return &check.NotApplicable{Reason: "the answer has no expires_in, or one above a day"}
	}
	if err := approveDevice(ctx, p, approved); err != nil {
		return err
	}
	other, waiting, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	answer, _, err := poll(ctx, p, other, waiting)
	if err != nil {
		return err
	}
	if err := waits(answer); err != nil {
		return err
	}
	late := time.Duration(max(approved.ExpiresIn, waiting.ExpiresIn)) * time.Second
	p.Target().Advance(2*late + time.Minute)
	var found []*check.Mismatch
	for _, device := range []struct {
		name   string
		client *bench.Client
		told   *deviceAnswer
	}{
		{"a device that waits for approval", other, waiting},
		{"a device that was approved", client, approved},
	} {
		answer, tokens, err := poll(ctx, p, device.client, device.told)
		if err != nil {
			return err
		}
		want := "expired_token after expires_in for " + device.name
		switch code := answer.ErrorCode(); {
		case tokens != nil:
			found = append(found, p.Insecure(want, "tokens"))
		case code == "authorization_pending", code == "slow_down":
			found = append(found, p.MismatchAt(check.Should, want, answer.String()))
		case code != "expired_token":
			found = append(found, p.MismatchAt(check.Policy, want, answer.String()))
		}
	}
	return bench.All(found...)
}

// waits judges the first answer to a device that is not approved: the control.
func waits(answer *bench.Answer) error {
	switch {
	case answer.Status == http.StatusOK:
		return &check.Skipped{
			Of:     "authorization-server/device/pending",
			Reason: "a device that is not approved gets tokens",
		}
	case answer.ErrorCode() != "authorization_pending":
		return &check.CannotJudge{Reason: "the control failed: a device that waits gets " + answer.String()}
	}
	return nil
}

const (
	// maxDeviceLife is the longest life of a device code that a check waits for, in seconds.
	maxDeviceLife = 24 * 60 * 60
	// hastyPolls is how often a device polls without a pause.
	hastyPolls = 5
)

// hurry polls without a pause. It reports whether the server has asked the device to slow down.
func hurry(ctx context.Context, p *bench.Probe, client *bench.Client, told *deviceAnswer) (bool, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return false, err
	}
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {told.DeviceCode}}
	for i := range hastyPolls {
		answer, err := p.Send(ctx, p.Authenticated(metadata.TokenEndpoint, client, form))
		if err != nil {
			return false, err
		}
		code := answer.ErrorCode()
		switch {
		case code == "slow_down", answer.Status == http.StatusTooManyRequests:
			return true, nil
		case i > 0:
			continue
		}
		if err := waits(answer); err != nil {
			return false, err
		}
	}
	return false, nil
}

// deviceSlowDown tries authorization-server/device/slow-down.
func deviceSlowDown(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	isSlowed, err := hurry(ctx, p, client, told)
	if err == nil && !isSlowed {
		return p.Mismatch(fmt.Sprintf("slow_down for %d polls without a pause", hastyPolls), "authorization_pending")
	}
	return err
}

// deviceKept tries authorization-server/device/kept.
func deviceKept(ctx context.Context, p *bench.Probe) error {
	client, told, err := startDevice(ctx, p)
	if err != nil {
		return err
	}
	if err := controlDevice(ctx, p); err != nil {
		return err
	}
	isSlowed, err := hurry(ctx, p, client, told)
	if err != nil {
		return err
	}
	if !isSlowed {
		return &check.NotApplicable{Reason: "the server does not ask a device to slow down"}
	}
	// Each slow_down adds five seconds to the interval, which is five seconds by default.
	pause := time.Duration(told.Interval+5+5*hastyPolls) * time.Second
	if told.ExpiresIn > 0 && 2*pause.Seconds() > told.ExpiresIn {
		return &check.NotApplicable{Reason: "a device code expires before a slow device has polled"}
	}
	p.Target().Advance(pause)
	if err := approveDevice(ctx, p, told); err != nil {
		return err
	}
	answer, tokens, err := poll(ctx, p, client, told)
	if err == nil && tokens == nil {
		return p.Mismatch("tokens for a device that polls slowly", answer.String())
	}
	return err
}
