package broken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const formType = "application/x-www-form-urlencoded"

// device gets a token by the device authorization grant (RFC 8628).
func (r *attempt) device(ctx context.Context, issuer *issuerDocument, resource string, scopes []string) error {
	client, err := r.identity(ctx, issuer, "http://127.0.0.1/callback")
	if err != nil {
		return err
	}
	form := url.Values{}
	header := http.Header{}
	if resource != "" && !r.has(DeviceNamesNoResource) {
		form.Set("resource", resource)
	}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	r.authenticate(client, header, form)
	response, body, err := r.post(ctx, issuer.Device, formType, header, []byte(form.Encode()))
	if err != nil {
		return err
	}
	var answer struct {
		Code     string `json:"device_code"`
		UserCode string `json:"user_code"`
		Address  string `json:"verification_uri"`
		Complete string `json:"verification_uri_complete"`
		Interval int    `json:"interval"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK {
		return errors.Join(errors.New("no device code"), err)
	}
	for _, address := range []string{answer.Address, answer.Complete} {
		if r.has(OpensDeviceAddress) && address != "" {
			_ = r.task.Open(ctx, address)
		}
		if err := r.checkPage(address); err != nil && address != "" && !r.has(ShowsAnyDeviceAddress) {
			return err
		}
	}
	if !r.has(HidesDeviceCode) {
		fmt.Fprintf(r.task.Output, "Open %s and type %s.\n", answer.Address, answer.UserCode)
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: client, resource: resource}
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {answer.Code}}
	if resource != "" {
		poll.Set("resource", resource)
	}
	return r.awaitDevice(ctx, issuer, client, poll, time.Duration(answer.Interval)*second)
}

// awaitDevice polls for the token until the person has approved.
func (r *attempt) awaitDevice(
	ctx context.Context, issuer *issuerDocument, client identity, poll url.Values, pause time.Duration,
) error {
	for n := 0; ; n++ {
		if !r.has(AsksWithoutPause) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := r.redeem(ctx, issuer, client, poll)
		var refused *refusedError
		switch {
		case !errors.As(err, &refused):
			return err
		case refused.code == "authorization_pending":
		case refused.code == "slow_down":
			if !r.has(IgnoresSlowDown) {
				pause += 5 * second
			}
		case r.has(AsksAfterRefusal) && n < manyTimes:
		default:
			return err
		}
	}
}
