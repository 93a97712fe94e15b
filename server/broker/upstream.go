package broker

import (
	"context"
	"errors"
	"time"

	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// UpstreamToken returns the Graph token of a grant. If the token expires in less than five minutes,
// it asks Entra for a new one, once for all requests of all replicas at the same time. It returns
// ErrGrantOver, or an error that says that Entra or the store cannot be reached.
func (b *Broker) UpstreamToken(ctx context.Context, grantID string) (string, error) {
	g, err := b.findGrant(ctx, grantID)
	if err != nil {
		return "", err
	}
	if b.upstreamIsFresh(g) {
		return g.Upstream.Access, nil
	}
	result := b.upstream.DoChan(grantID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseLifetime)
		defer cancel()
		return b.renewUpstream(ctx, grantID)
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case done := <-result:
		if done.Err != nil {
			return "", done.Err
		}
		return done.Val.(string), nil
	}
}

func (b *Broker) upstreamIsFresh(g *grant) bool {
	return g.Upstream.Expiry.Sub(b.now()) >= upstreamMargin
}

// errRenewing says that another replica has been renewing a token for too long.
var errRenewing = errors.New("broker: another replica is renewing entra's token, and has not finished")

// renewUpstream renews the token of a grant, or waits until another replica has done it.
func (b *Broker) renewUpstream(ctx context.Context, grantID string) (string, error) {
	for pause := leasePoll; ; pause = min(2*pause, maxLeasePoll) {
		g, err := b.findGrant(ctx, grantID)
		switch {
		case err != nil:
			return "", err
		case b.upstreamIsFresh(g):
			return g.Upstream.Access, nil // another request or replica was faster
		}
		err = b.leaseUpstream(ctx, grantID)
		if err == nil {
			defer b.endLease(ctx, grantID)
			return b.refreshUpstream(ctx, grantID)
		} else if !errors.Is(err, store.ErrConflict) {
			return "", err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", errRenewing
		}
	}
}

// An upstreamLease is the record of the replica that renews the token of a grant. It has no
// contents.
type upstreamLease struct{}

// leaseUpstream lets this replica renew the token of a grant. It returns store.ErrConflict while
// another replica does so. The lease of a replica that has died ends by itself.
func (b *Broker) leaseUpstream(ctx context.Context, grantID string) error {
	return b.records.create(ctx, kindUpstreamLease, grantID, "", upstreamLease{}, b.now().Add(leaseLifetime))
}

func (b *Broker) endLease(ctx context.Context, grantID string) {
	err := b.config.Store.Delete(context.WithoutCancel(ctx), kindUpstreamLease, grantID)
	if err != nil {
		b.log.WarnContext(ctx, "a lease could not be deleted, so it ends by itself", "error", err)
	}
}

// refreshUpstream asks Entra for new tokens and stores them in the grant. If Entra says that the
// sign-in has ended, it ends the grant. The lease is held.
func (b *Broker) refreshUpstream(ctx context.Context, grantID string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseLifetime*2/3) // the lease outlives the work
	defer cancel()
	g, err := b.findGrant(ctx, grantID)
	switch {
	case err != nil:
		return "", err
	case b.upstreamIsFresh(g):
		return g.Upstream.Access, nil // another replica had the lease until now
	case g.Upstream.Refresh == "":
		return "", b.endGrant(ctx, grantID, g, "entra gave no refresh token")
	}
	tokens, err := b.config.Entra.Refresh(ctx, g.Upstream.Refresh, b.upstreamScopes(g.Scopes))
	if err != nil {
		return b.upstreamFailed(ctx, grantID, g, err)
	}
	if isAnother(tokens.User, g.Principal) {
		return "", b.endGrant(ctx, grantID, g, "entra answered for another person")
	}
	renewed := newUpstreamTokens(tokens)
	if renewed.Refresh == "" {
		renewed.Refresh = g.Upstream.Refresh
	}
	if user := tokens.User; user.ObjectID != "" && user.Username != g.Username {
		if err := b.rememberPerson(ctx, g.Principal, user.Username); err != nil {
			return "", err
		}
	}
	err = b.changeGrant(ctx, grantID, func(g *grant) {
		g.Upstream = renewed
		if user := tokens.User; user.ObjectID != "" { // there was an ID token
			g.Name = user.Name
			g.Username = user.Username
			g.Attributes = &user.Attributes
		}
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrGrantOver
	} else if err != nil {
		return "", err
	}
	return renewed.Access, nil
}

// upstreamFailed decides what a failed refresh means. Only a refusal that is known to end the
// sign-in ends the grant. After a refusal of an unknown kind the client has to sign in again, but
// the grant stays, because the next refresh may succeed. If Entra did not judge the person, its
// token is used until it expires.
func (b *Broker) upstreamFailed(ctx context.Context, grantID string, g *grant, err error) (string, error) {
	var refused *entra.Error
	isRefused := errors.As(err, &refused)
	switch {
	case isRefused && refused.GrantOver():
		err := b.endRefused(ctx, grantID, g, refused)
		if errors.Is(err, ErrGrantOver) {
			err = errors.Join(err, refused) // tools explain the reason
		}
		return "", err
	case isRefused && refused.Code == "invalid_grant":
		b.log.WarnContext(ctx, "entra refuses a refresh for an unknown reason, so the grant stays",
			"client", g.ClientID,
			"tenant", g.Principal.TenantID,
			"object", g.Principal.ObjectID,
			"error", err)
		return "", err
	case b.now().Before(g.Upstream.Expiry):
		b.log.WarnContext(ctx, "entra cannot renew a token; the old one is used until it expires",
			"client", g.ClientID,
			"error", err)
		return g.Upstream.Access, nil
	}
	return "", err
}

// endRefused ends a grant after a refusal of Entra. If Entra wants something from the person, it
// keeps that for the next sign-in.
func (b *Broker) endRefused(ctx context.Context, grantID string, g *grant, refused *entra.Error) error {
	if refused.NeedsPerson() {
		return b.endForDemand(ctx, grantID, g, refused)
	}
	return b.endGrant(ctx, grantID, g, refused.Error())
}

// isAnother reports whether an ID token, if there was one, is about another person than the grant.
func isAnother(user entra.User, person identity.Principal) bool {
	return user.ObjectID != "" && (user.ObjectID != person.ObjectID || user.TenantID != person.TenantID)
}
