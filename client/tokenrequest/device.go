package tokenrequest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A Device is an authorization that a person gives on another device (RFC 8628).
type Device struct {
	// UserCode is what the person types at VerificationURI. VerificationURIComplete holds the code
	// already; empty where the server has none.
	UserCode, VerificationURI, VerificationURIComplete string
	// Expiry is when the code ends.
	Expiry time.Time

	code     string
	interval time.Duration
	resource string
}

// ErrExpired says that nobody approved in time.
var ErrExpired = errors.New("the code was not approved in time; start again for a new one")

const (
	defaultInterval = 5 * time.Second // RFC 8628 section 3.2
	maxInterval     = time.Minute
	defaultLifetime = 15 * time.Minute
	maxLifetime     = time.Hour
)

// AskDevice asks a device authorization endpoint for a code (RFC 8628 section 3.1).
func (e *Endpoint) AskDevice(ctx context.Context, endpoint string, scopes []string, resource string) (*Device, error) {
	form := url.Values{}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	setUnlessEmpty(form, "resource", resource)
	at := *e
	at.URL = endpoint
	at.DPoP = nil
	var got struct {
		Code     string         `json:"device_code"`
		UserCode string         `json:"user_code"`
		URI      string         `json:"verification_uri"`
		URL      string         `json:"verification_url"` // older servers
		Complete string         `json:"verification_uri_complete"`
		Lifetime jsontext.Value `json:"expires_in"`
		Interval jsontext.Value `json:"interval"`
	}
	if err := at.post(ctx, "device authorization endpoint", form, &got); err != nil {
		return nil, err
	}
	if got.URI == "" {
		got.URI = got.URL
	}
	if got.Code == "" || got.UserCode == "" || got.URI == "" || len(got.UserCode) > 200 {
		return nil, fmt.Errorf(
			"device authorization endpoint %s: want device_code, user_code and verification_uri, and one is missing",
			endpoint,
		)
	}
	lifetime := seconds(got.Lifetime)
	interval := seconds(got.Interval)
	if lifetime == 0 {
		lifetime = defaultLifetime
	}
	if interval == 0 {
		interval = defaultInterval
	}
	return &Device{
		UserCode:                printable(got.UserCode),
		VerificationURI:         got.URI,
		VerificationURIComplete: got.Complete,
		Expiry:                  e.now().Add(min(lifetime, maxLifetime)),
		code:                    got.Code,
		interval:                min(interval, maxInterval),
		resource:                resource,
	}, nil
}

// AwaitDevice asks for the token until the person has approved or refused, the code has ended, or
// the context has.
func (e *Endpoint) AwaitDevice(ctx context.Context, device *Device) (*Token, error) {
	interval := device.interval
	for {
		if err := e.pause(ctx, interval); err != nil {
			return nil, err
		}
		if e.now().After(device.Expiry) {
			return nil, ErrExpired
		}
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.code}}
		token, err := e.ask(ctx, form, device.resource)
		var refused *Error
		switch {
		case err == nil:
			return token, nil
		case !errors.As(err, &refused):
			// The network has failed, or the server is busy: the person may be approving this very
			// moment (RFC 8628 section 3.5).
			interval = min(2*interval, maxInterval)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		case refused.Code == "authorization_pending":
		case refused.Code == "slow_down":
			interval = min(interval+5*time.Second, maxInterval)
		case refused.Code == "expired_token":
			return nil, ErrExpired
		default:
			return nil, err
		}
	}
}

func (e *Endpoint) pause(ctx context.Context, d time.Duration) error {
	if e.Pause != nil {
		return e.Pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
