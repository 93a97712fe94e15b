package broker

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/loopback"
	"mcpentra/server/store"
)

// A consentRecord is what one person has approved for one client. It is one record, so that all of
// it can be forgotten at once.
type consentRecord struct {
	Approvals []approval `json:"approvals"` // the latest comes last
}

// An approval is for one redirect URI and set of scopes.
type approval struct {
	RedirectURI string    `json:"redirect_uri"`
	Scopes      string    `json:"scopes"`
	Until       time.Time `json:"until"`
}

// maxApprovals bounds what is kept for one person and client.
const maxApprovals = 20

func (a approval) covers(other approval) bool {
	return a.RedirectURI == other.RedirectURI && a.Scopes == other.Scopes
}

// approvalOf is what a person approves with a transaction.
func approvalOf(tx *transaction) approval {
	redirect := tx.RedirectURI
	if parsed, err := url.Parse(redirect); err == nil && loopback.IsStrictHost(parsed.Hostname()) {
		parsed.Host = parsed.Hostname() // a native client has another port every time
		redirect = parsed.String()
	}
	return approval{RedirectURI: redirect, Scopes: strings.Join(slices.Sorted(slices.Values(tx.Scopes)), " ")}
}

func consentKey(principal Principal, clientID string) string {
	return hashed(strings.Join([]string{principal.Issuer, principal.TenantID, principal.ObjectID, clientID}, "\x00"))
}

// hasConsent reports whether a person has approved this client, redirect URI and scopes before.
func (b *Broker) hasConsent(ctx context.Context, principal Principal, tx *transaction) (bool, error) {
	asked := approvalOf(tx)
	return b.hasApproved(ctx, principal, tx.ClientID, asked.covers)
}

// trusts reports whether a browser may go to the redirect URI without a click: it is on loopback,
// or the person has approved it for this client, whatever the scopes. Person is the one who is
// signed in, or nil.
func (b *Broker) trusts(ctx context.Context, person *Principal, tx *transaction) (bool, error) {
	asked := approvalOf(tx)
	switch {
	case isLoopbackURI(tx.RedirectURI):
		return true, nil
	case person == nil:
		return false, nil
	}
	return b.hasApproved(ctx, *person, tx.ClientID, func(one approval) bool {
		return one.RedirectURI == asked.RedirectURI
	})
}

// hasApproved reports whether a person has given an approval of a kind to a client, and it has not
// run out.
func (b *Broker) hasApproved(
	ctx context.Context, principal Principal, clientID string, matches func(approval) bool,
) (bool, error) {
	var held consentRecord
	_, err := b.records.get(ctx, kindConsent, consentKey(principal, clientID), &held)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return slices.ContainsFunc(held.Approvals, func(one approval) bool {
		return matches(one) && b.now().Before(one.Until)
	}), nil
}

// rememberConsent keeps what a person has approved on the page. It tries again when another request
// has changed the record meanwhile.
func (b *Broker) rememberConsent(ctx context.Context, principal Principal, tx *transaction) error {
	if tx.Remembered != nil {
		return nil // an approval lasts from the page that it was given on
	}
	made := approvalOf(tx)
	made.Until = b.now().Add(consentLifetime)
	for {
		var held consentRecord
		record, err := b.records.get(ctx, kindConsent, consentKey(principal, tx.ClientID), &held)
		if errors.Is(err, store.ErrNotFound) {
			record = store.Record{Kind: kindConsent, Key: consentKey(principal, tx.ClientID)}
		} else if err != nil {
			return err
		}
		held.Approvals = slices.DeleteFunc(held.Approvals, func(one approval) bool {
			return one.covers(made) || !b.now().Before(one.Until)
		})
		held.Approvals = append(held.Approvals, made)
		held.Approvals = held.Approvals[max(0, len(held.Approvals)-maxApprovals):]
		record.Expires = made.Until
		record.Source = b.personSource(principal)
		if err := b.records.put(ctx, record, held); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// endStolen ends a grant whose code or refresh token somebody else has used, and forgets what the
// person has approved for the client: the next sign-in asks again.
func (b *Broker) endStolen(ctx context.Context, grantID string, principal Principal, clientID string) error {
	// The consent goes first. If the store fails between the two, the next replay finds the grant
	// and tries again.
	if err := b.config.Store.Delete(ctx, kindConsent, consentKey(principal, clientID)); err != nil {
		return err
	}
	return b.config.Store.Delete(ctx, kindGrant, grantID)
}
