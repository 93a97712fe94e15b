package broker

import (
	"context"
	"errors"
	"net/url"
	"time"

	"mcpentra/server/store"
)

// wrongDeviceCode refuses a device code. The reason goes to the log only.
func wrongDeviceCode(why string) *protocolError {
	problem := badRequest("invalid_grant", "the device code is unknown, used, or belongs to another client")
	return problem.because(why)
}

// redeemDeviceCode exchanges a device code for tokens once a person has approved the device (RFC
// 8628 section 3.4). A second redemption ends the grant, because one of the two requests was not
// the client's.
func (b *Broker) redeemDeviceCode(
	ctx context.Context,
	found *client,
	form url.Values,
) (*tokenResponse, *protocolError) {
	if form.Get("device_code") == "" {
		return nil, badRequest("invalid_request", "device_code is missing")
	}
	key := hashed(form.Get("device_code"))
	var d deviceAuthorization
	record, err := b.records.get(ctx, kindDevice, key, &d)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, wrongDeviceCode("the device code is unknown, or expired long ago")
	case err != nil:
		return nil, b.storeProblem(ctx, err)
	case d.ClientID != found.ID:
		return nil, wrongDeviceCode("the device code belongs to another client")
	case d.GrantID != "":
		return nil, b.endDeviceReplay(ctx, &d)
	}
	if problem := b.checkResource(form["resource"], d.Scopes); problem != nil {
		return nil, problem
	}
	switch {
	case !b.now().Before(d.Until):
		return nil, badRequest("expired_token", "the device code has expired")
	case d.Answer == denied:
		return nil, badRequest("access_denied", "the person declined")
	case d.Answer == "":
		return nil, b.keepWaiting(ctx, key)
	}
	return b.redeemApproved(ctx, record, &d)
}

// redeemApproved makes the grant of a device that a person has approved.
func (b *Broker) redeemApproved(
	ctx context.Context,
	record store.Record,
	d *deviceAuthorization,
) (*tokenResponse, *protocolError) {
	made, err := b.newGrant(ctx, &authorizationCode{
		ClientID:   d.ClientID,
		ClientName: d.ClientName,
		Scopes:     d.Scopes,
		SignIn:     *d.SignIn,
	})
	if err != nil {
		return nil, b.storeProblem(ctx, err)
	}
	d.GrantID = made.id
	d.SignIn = &signIn{Principal: d.SignIn.Principal}
	err = b.storeGrant(ctx, made, change{record, d})
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, b.endDeviceRace(ctx, record.Key)
	case err != nil:
		return nil, b.storeProblem(ctx, err)
	}
	return b.respond(ctx, made.id, made.grant, made.grant.Scopes, made.refresh)
}

// endDeviceReplay ends the grant of a device code that was redeemed twice.
func (b *Broker) endDeviceReplay(ctx context.Context, d *deviceAuthorization) *protocolError {
	if err := b.endStolen(ctx, d.GrantID, d.SignIn.Principal, d.ClientID); err != nil {
		return b.storeProblem(ctx, err)
	}
	why := "the device code was redeemed twice, so its grant and the consent to its client end"
	return wrongDeviceCode(why).asWarning()
}

// endDeviceRace is endDeviceReplay for a request that another one overtook.
func (b *Broker) endDeviceRace(ctx context.Context, key string) *protocolError {
	var d deviceAuthorization
	_, err := b.records.get(ctx, kindDevice, key, &d)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && d.GrantID == "":
		return wrongDeviceCode("the device code is gone")
	case err != nil:
		return b.storeProblem(ctx, err)
	}
	return b.endDeviceReplay(ctx, &d)
}

// pollTolerance is how much too early a poll may come. Networks deliver two requests closer
// together than they were sent.
const pollTolerance = time.Second

// keepWaiting answers a poll of a device that no person has answered yet. A poll that comes too
// early makes the device wait longer from then on (RFC 8628 section 3.5). The record keeps the
// time, so that this holds on every replica.
func (b *Broker) keepWaiting(ctx context.Context, key string) *protocolError {
	tooEarly := false
	err := b.changeDevice(ctx, key, func(_ *store.Record, d *deviceAuthorization) error {
		tooEarly = b.now().Before(d.Polled.Add(d.Interval - pollTolerance))
		if tooEarly {
			d.Interval += slowDown
		}
		d.Polled = b.now()
		return nil
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return wrongDeviceCode("the device code is gone")
	case err != nil:
		return b.storeProblem(ctx, err)
	case tooEarly:
		return badRequest("slow_down", "this poll came too early: wait five seconds longer between polls from now on")
	}
	return badRequest("authorization_pending", "no person has approved the device yet").asRoutine()
}
