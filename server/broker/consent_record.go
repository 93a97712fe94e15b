package broker

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A consentRecord holds what one person has approved for one client. It is one record, so that the
// broker can forget all of it at once.
type consentRecord struct {
	Approvals []approval `json:"approvals"` // the newest comes last
	// Person is the one who has approved. It is nil in records of versions that did not store it.
	Person *identity.Principal `json:"person,omitempty"`
}

// An approval covers one redirect URI and one set of scopes.
type approval struct {
	RedirectURI string    `json:"redirect_uri"`
	Scopes      string    `json:"scopes"`
	Until       time.Time `json:"until"`
}

// maxApprovals bounds the approvals of one person for one client.
const maxApprovals = 20

// covers reports whether an approval includes another one.
func (a approval) covers(other approval) bool {
	missing := without(strings.Fields(other.Scopes), strings.Fields(a.Scopes))
	return a.RedirectURI == other.RedirectURI && len(missing) == 0
}

// approvalOf returns the approval that a transaction asks for.
func approvalOf(tx *transaction) approval {
	redirect := tx.RedirectURI
	if parsed, err := url.Parse(redirect); err == nil && isLoopbackURI(redirect) {
		parsed.Host = parsed.Hostname() // a native client uses another port every time
		redirect = parsed.String()
	}
	return approval{RedirectURI: redirect, Scopes: strings.Join(slices.Sorted(slices.Values(tx.grantScopes())), " ")}
}

func consentKey(person identity.Principal, clientID string) string {
	return hashed(strings.Join([]string{person.Issuer, person.TenantID, person.ObjectID, clientID}, "\x00"))
}

// hasConsent reports whether a person has approved this client, redirect URI and scopes before, at
// once or one after another.
func (b *Broker) hasConsent(ctx context.Context, person identity.Principal, tx *transaction) (bool, error) {
	asked := approvalOf(tx)
	approvals, err := b.approvals(ctx, person, tx.ClientID)
	if err != nil {
		return false, err
	}
	all := approval{RedirectURI: asked.RedirectURI}
	for _, earlier := range approvals {
		if earlier.RedirectURI == asked.RedirectURI {
			all.Scopes += " " + earlier.Scopes
		}
	}
	return all.covers(asked), nil
}

// trusts reports whether a browser may go to the redirect URI without a click. The redirect URI is
// on loopback or a pre-registered client's, or the person has approved it for this client with any
// scopes. Person is the one who is signed in, or nil.
func (b *Broker) trusts(ctx context.Context, person *identity.Principal, tx *transaction) (bool, error) {
	switch {
	case tx.Preregistered, isLoopbackURI(tx.RedirectURI):
		return true, nil
	case person == nil:
		return false, nil
	}
	asked := approvalOf(tx)
	approvals, err := b.approvals(ctx, *person, tx.ClientID)
	return slices.ContainsFunc(approvals, func(earlier approval) bool {
		return earlier.RedirectURI == asked.RedirectURI
	}), err
}

// approvals returns what a person has approved for a client and has not expired.
func (b *Broker) approvals(ctx context.Context, person identity.Principal, clientID string) ([]approval, error) {
	var consent consentRecord
	_, err := b.records.get(ctx, kindConsent, consentKey(person, clientID), &consent)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	restored, err := b.records.voidBefore(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(consent.Approvals, func(earlier approval) bool {
		// A backup may contain an approval that the person has withdrawn since.
		isVoid := earlier.Until.Add(-consentLifetime).Before(restored)
		return isVoid || !b.now().Before(earlier.Until)
	}), nil
}

// rememberConsent stores what a person has approved on the consent page. If another request has
// changed the record, it tries again.
func (b *Broker) rememberConsent(ctx context.Context, person identity.Principal, tx *transaction) error {
	for {
		made, err := b.newConsent(ctx, person, tx)
		if err != nil || made == nil {
			return err
		}
		err = b.records.put(ctx, made.record, made.value)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// newConsent returns a person's consent record with what the person has approved on the consent
// page, or nil if there was no page.
func (b *Broker) newConsent(ctx context.Context, person identity.Principal, tx *transaction) (*change, error) {
	if tx.Remembered != nil {
		return nil, nil // an approval lasts from the page on which it was given
	}
	made := approvalOf(tx)
	made.Until = b.now().Add(consentLifetime)
	key := consentKey(person, tx.ClientID)
	var consent consentRecord
	record, err := b.records.get(ctx, kindConsent, key, &consent)
	if errors.Is(err, store.ErrNotFound) {
		record = store.Record{Kind: kindConsent, Key: key}
	} else if err != nil {
		return nil, err
	}
	consent.add(made, b.now())
	consent.Person = &person
	record.Expires = made.Until
	record.Source = b.personSource(person)
	return &change{record, consent}, nil
}

// add puts an approval last, and drops those that it replaces, that have expired, or that are too
// many.
func (c *consentRecord) add(made approval, now time.Time) {
	c.Approvals = slices.DeleteFunc(c.Approvals, func(earlier approval) bool {
		return made.covers(earlier) || !now.Before(earlier.Until)
	})
	c.Approvals = append(c.Approvals, made)
	c.Approvals = c.Approvals[max(0, len(c.Approvals)-maxApprovals):]
}
