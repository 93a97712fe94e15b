package broker

import (
	"context"
	"slices"
	"strings"

	"mcpentra/server/identity"
)

// A client that needs more scopes asks for these alone, or for all. The person approves the missing
// ones, and the new grant holds the union with what the client has already.

// maxKeptGrants bounds the grants of one person to one client that count.
const maxKeptGrants = 100

// union returns the scopes of both lists, each once.
func union(scopes, more []string) []string {
	all := slices.Clone(scopes)
	for _, name := range more {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// without returns the scopes that are not in another list.
func without(scopes, others []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(name string) bool { return slices.Contains(others, name) })
}

// grantScopes returns the scopes of the grant that a transaction leads to.
func (t *transaction) grantScopes() []string { return union(t.Scopes, t.Kept) }

// keptScopes returns the scopes that a client keeps in a step-up: the scopes of its grants for a
// person, and of a grant that ended because of a demand of Entra. A client that asks for nothing
// new gets what it asks for, and no more.
func (b *Broker) keptScopes(ctx context.Context, person identity.Principal, tx *transaction) ([]string, error) {
	asked := b.resourceOf(tx.Scopes)
	isAll := len(without(asked.scopeIDs(), tx.Scopes)) == 0
	if isAll || tx.Device != nil || tx.OwnPage != "" {
		return nil, nil
	}
	filter := GrantFilter{ClientID: tx.ClientID, Principal: &person}
	grants, err := b.Grants(ctx, filter, "", maxKeptGrants)
	if err != nil {
		return nil, err
	}
	kept := slices.Clone(tx.Regained)
	if tx.Demand != nil && tx.DemandOf != nil && *tx.DemandOf == person {
		kept = union(kept, tx.Demand.Scopes)
	}
	for _, one := range grants {
		kept = union(kept, one.scopeIDs)
	}
	// Only what the resource has now is kept. So nothing of another resource is.
	kept = slices.DeleteFunc(kept, func(id string) bool { return !slices.Contains(asked.scopeIDs(), id) })
	if len(without(tx.Scopes, kept)) == 0 {
		return nil, nil
	}
	return kept, nil
}

// noticeKept makes what the client has already for the signed-in person part of a transaction.
func (b *Broker) noticeKept(ctx context.Context, tx *transaction, session *identity.Principal) (err error) {
	if session == nil {
		return nil
	}
	tx.Kept, err = b.keptScopes(ctx, *session, tx)
	if len(tx.Kept) > 0 {
		tx.KeptOf = session
	}
	return err
}

// keepForPerson adds what the client has already for the person who has signed in. It reports false
// if the person has to see a consent page first: the page named another person's scopes, or it did
// not name the scopes, and any program on the person's computer can say that it is this client.
func (b *Broker) keepForPerson(ctx context.Context, tx *transaction) (shown bool, err error) {
	person := tx.SignedIn.Principal
	kept, err := b.keptScopes(ctx, person, tx)
	if err != nil {
		return false, err
	}
	isOther := tx.KeptOf != nil && *tx.KeptOf != person
	isNew := len(without(kept, tx.grantScopes())) > 0
	shown = !isOther && (!isNew || tx.Proven)
	if isOther {
		tx.Kept = nil
	}
	if !shown && tx.prompts("none") {
		return !isOther, nil // without a page, the grant holds what was asked for
	}
	tx.Kept = union(tx.Kept, kept)
	tx.KeptOf = &person
	return shown, nil
}

// reduceToGranted takes the scopes away for which Entra has not granted the permissions. It returns
// an error if none is left of those that the client has asked for.
func (b *Broker) reduceToGranted(tx *transaction) *protocolError {
	granted := tx.SignedIn.Upstream.Scopes
	lacks := func(id string) bool { return len(missingScopes(b.upstreamScopes([]string{id}), granted)) > 0 }
	asked := tx.Scopes
	missing := missingScopes(b.upstreamScopes(asked), granted)
	tx.Scopes = slices.DeleteFunc(slices.Clone(asked), lacks)
	tx.Kept = slices.DeleteFunc(slices.Clone(tx.Kept), lacks)
	if len(tx.Scopes) == 0 {
		tx.Scopes = asked
		return badRequest("access_denied", "Entra ID did not grant "+strings.Join(missing, " ")).asWarning()
	}
	if len(missing) > 0 {
		b.log.Warn("entra granted less than was asked for, so the grant holds fewer scopes",
			"client", tx.ClientID, "missing", missing, "scopes", tx.Scopes)
	}
	return nil
}
