package broker

import (
	"context"
	"errors"
	"time"

	"mcpentra/server/entra"
	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A demand is what Entra wants from a person before it gives more tokens for one client: another
// factor, a newer sign-in, consent, or the answer to a claims challenge. It is learned when no
// browser is there, so it outlives the grant, and becomes part of the person's next sign-in.
type demand struct {
	AADSTS int `json:"aadsts,omitempty"`
	// Claims is Entra's claims challenge, or "".
	Claims string `json:"claims,omitempty"`
	// Login asks for a new sign-in, although Entra's session lasts.
	Login bool `json:"login,omitempty"`
	// Scopes are the scopes of the grant. The next grant may hold them again.
	Scopes []string `json:"scopes,omitempty"`
	// Hint is the person's user name.
	Hint  string    `json:"hint,omitempty"`
	Since time.Time `json:"since"`
}

// isSame reports whether two readings are the same demand. Nil means none.
func (d *demand) isSame(other *demand) bool {
	return d != nil && other != nil && d.Since.Equal(other.Since)
}

// needsTrip reports whether a request to Entra has to carry the demand. Entra asks for the rest by
// itself, such as consent.
func (d *demand) needsTrip() bool { return d != nil && (d.Claims != "" || d.Login) }

// demandNeedsPage answers a client that asked for no page.
func demandNeedsPage() *protocolError {
	return badRequest("interaction_required", "Entra ID wants something from the person, which needs a page")
}

// demandOf returns the demand behind a refusal of a person who is not there.
func (b *Broker) demandOf(g *grant, refused *entra.Error) *demand {
	return &demand{
		AADSTS: refused.AADSTS,
		Claims: refused.Claims,
		Login:  refused.NeedsLogin(),
		Scopes: g.Scopes,
		Hint:   g.Username,
		Since:  b.now(),
	}
}

// keepDemand stores a demand. The latest replaces an earlier one.
func (b *Broker) keepDemand(ctx context.Context, g *grant, wanted *demand) error {
	record := store.Record{
		Kind:    kindDemand,
		Key:     demandKey(g.Principal, g.ClientID, g.Scopes),
		Source:  b.personSource(g.Principal),
		Expires: b.now().Add(demandLifetime),
	}
	for {
		stored, err := b.config.Store.Get(ctx, record.Kind, record.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		record.Version = stored.Version // 0 if there is none
		err = b.records.put(ctx, record, wanted)
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// demandKey returns the key of a demand. Each resource has its own demands, because it has its own
// grants and its own permissions at Entra.
func demandKey(person identity.Principal, clientID string, scopes []string) string {
	if len(scopes) > 0 {
		if url, _ := splitID(scopes[0]); url != "" {
			return consentKey(person, clientID+"\x00"+url)
		}
	}
	return consentKey(person, clientID)
}

// findDemand returns the demand that waits for a person in a transaction, or nil.
func (b *Broker) findDemand(ctx context.Context, person identity.Principal, tx *transaction) (*demand, error) {
	var found demand
	_, err := b.records.get(ctx, kindDemand, demandKey(person, tx.ClientID, tx.Scopes), &found)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &found, nil
}

// endForDemand ends a grant for which Entra wants something from the person. The demand is stored
// first, so that a failure between the two loses nothing.
func (b *Broker) endForDemand(ctx context.Context, grantID string, g *grant, refused *entra.Error) error {
	if err := b.keepDemand(ctx, g, b.demandOf(g, refused)); err != nil {
		return err
	}
	b.log.InfoContext(ctx, "entra wants something from a person, who meets it in the next sign-in",
		"client", g.ClientID,
		"tenant", g.Principal.TenantID,
		"object", g.Principal.ObjectID,
		"aadsts", refused.AADSTS,
		"claims", refused.Claims != "")
	return b.endGrant(ctx, grantID, g, refused.Error())
}

// Challenge tells the broker that an API refused the upstream token of a grant with a claims
// challenge ("Claims challenges, claims requests and client capabilities"). The grant ends, so its
// client lets the person sign in again. The claims become part of that sign-in.
func (b *Broker) Challenge(ctx context.Context, grantID, claims string) error {
	g, err := b.findGrant(ctx, grantID)
	if errors.Is(err, ErrGrantOver) {
		return nil
	} else if err != nil {
		return err
	}
	refused := &entra.Error{Op: "graph", Code: "interaction_required", Claims: claims}
	err = b.endForDemand(ctx, grantID, g, refused)
	if errors.Is(err, ErrGrantOver) {
		return nil
	}
	return err
}

// noticeDemand makes the demand that waits for the signed-in person part of a transaction.
func (b *Broker) noticeDemand(ctx context.Context, tx *transaction, session *identity.Principal) (err error) {
	if session == nil {
		return nil
	}
	tx.Demand, err = b.findDemand(ctx, *session, tx)
	if tx.Demand != nil {
		tx.DemandOf = session
	}
	return err
}

// demandAfter returns the demand that a second trip to Entra has to meet, or nil. The broker knows
// the person only after the first trip, unless there was a session. Refusal is Entra's answer to
// the first trip, or nil.
func (b *Broker) demandAfter(ctx context.Context, tx *transaction, refusal error) (*demand, error) {
	if tx.SecondTrip || tx.OwnPage != "" {
		return nil, nil
	}
	if refusal != nil {
		var refused *entra.Error
		isDemand := errors.As(refusal, &refused) && refused.NeedsPerson() &&
			(refused.Claims != "" || refused.NeedsLogin())
		if !isDemand {
			return nil, nil
		}
		return &demand{AADSTS: refused.AADSTS, Claims: refused.Claims, Login: refused.NeedsLogin(), Since: b.now()}, nil
	}
	person := tx.SignedIn.Principal
	waiting, err := b.findDemand(ctx, person, tx)
	if err != nil || !waiting.needsTrip() || tx.meets(waiting) {
		return nil, err
	}
	return waiting, nil
}

// meets reports whether a sign-in of the transaction's person has met a demand.
func (t *transaction) meets(waiting *demand) bool {
	isOfPerson := t.DemandOf != nil && t.SignedIn != nil && *t.DemandOf == t.SignedIn.Principal
	return isOfPerson && waiting.isSame(t.Demand)
}

// dropDemand forgets the demand that a sign-in has met. A newer demand stays.
func (b *Broker) dropDemand(ctx context.Context, tx *transaction) error {
	if tx.SignedIn == nil || tx.OwnPage != "" {
		return nil
	}
	person := tx.SignedIn.Principal
	waiting, err := b.findDemand(ctx, person, tx)
	if err != nil || waiting == nil {
		return err
	}
	tx.Regained = waiting.Scopes
	if waiting.needsTrip() && !tx.meets(waiting) {
		return nil
	}
	return b.config.Store.Delete(ctx, kindDemand, demandKey(person, tx.ClientID, tx.Scopes))
}
