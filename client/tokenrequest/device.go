package tokenrequest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/client/internal/printable"
)

// A DeviceAuthorization is a request that a person approves on another device (RFC 8628).
type DeviceAuthorization struct {
	// UserCode is the code that the person types at VerificationURI.
	UserCode, VerificationURI string
	// VerificationURIComplete already holds the code. Empty if the server has none.
	VerificationURIComplete string
	// Expiry is the time at which the codes expire.
	Expiry time.Time

	deviceCode string
	interval   time.Duration
	resource   string
}

// ErrDeviceCodeExpired says that no person approved the request in time.
var ErrDeviceCodeExpired = errors.New("the device code expired before a person approved it; start again for a new code")

const (
	defaultInterval = 5 * time.Second // RFC 8628 section 3.2
	maxInterval     = time.Minute
	defaultLifetime = 15 * time.Minute
	maxLifetime     = time.Hour
	maxUserCode     = 200 // bytes
)

// AuthorizeDevice requests a device code from a device authorization endpoint (RFC 8628 section
// 3.1). An empty resource is left out.
func (e *Endpoint) AuthorizeDevice(
	ctx context.Context,
	deviceEndpoint string,
	scopes []string,
	resource string,
) (*DeviceAuthorization, error) {
	form := url.Values{}
	setUnlessEmpty(form, "scope", strings.Join(scopes, " "))
	setUnlessEmpty(form, "resource", resource)
	at := *e
	at.URL = deviceEndpoint
	at.DPoP = nil
	var response struct {
		DeviceCode string         `json:"device_code"`
		UserCode   string         `json:"user_code"`
		URI        string         `json:"verification_uri"`
		URL        string         `json:"verification_url"` // older servers
		Complete   string         `json:"verification_uri_complete"`
		Lifetime   jsontext.Value `json:"expires_in"`
		Interval   jsontext.Value `json:"interval"`
	}
	if err := at.post(ctx, "device authorization endpoint", form, &response); err != nil {
		return nil, err
	}
	if response.URI == "" {
		response.URI = response.URL
	}
	isComplete := response.DeviceCode != "" && response.UserCode != "" && response.URI != ""
	if !isComplete || len(response.UserCode) > maxUserCode {
		return nil, fmt.Errorf(
			"device authorization endpoint %s: want device_code, verification_uri and a user_code "+
				"of at most %d bytes; one of them is missing or too long",
			deviceEndpoint,
			maxUserCode,
		)
	}
	lifetime := seconds(response.Lifetime)
	interval := seconds(response.Interval)
	if lifetime == 0 {
		lifetime = defaultLifetime
	}
	if interval == 0 {
		interval = defaultInterval
	}
	return &DeviceAuthorization{
		UserCode:                printable.Text(response.UserCode),
		VerificationURI:         response.URI,
		VerificationURIComplete: response.Complete,
		Expiry:                  e.now().Add(min(lifetime, maxLifetime)),
		deviceCode:              response.DeviceCode,
		interval:                min(interval, maxInterval),
		resource:                resource,
	}, nil
}

// AwaitDeviceToken requests the token again and again, until the person approves or refuses, or the
// device code or the context ends. The error is ErrDeviceCodeExpired if the code expired.
func (e *Endpoint) AwaitDeviceToken(ctx context.Context, device *DeviceAuthorization) (*Token, error) {
	interval := device.interval
	for {
		if err := e.pause(ctx, interval); err != nil {
			return nil, err
		}
		if e.now().After(device.Expiry) {
			return nil, ErrDeviceCodeExpired
		}
		form := url.Values{
			"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
			"device_code": {device.deviceCode},
		}
		token, err := e.requestToken(ctx, form, device.resource)
		var refused *Error
		switch {
		case err == nil:
			return token, nil
		case !errors.As(err, &refused):
			// The network failed or the server is busy, and the person may be approving now
			// (RFC 8628 section 3.5).
			interval = min(2*interval, maxInterval)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		case refused.Code == "authorization_pending":
		case refused.Code == "slow_down":
			interval = min(interval+5*time.Second, maxInterval)
		case refused.Code == "expired_token":
			return nil, ErrDeviceCodeExpired
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
