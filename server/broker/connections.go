package broker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A Grant describes one person's permission to one client, for people and administrators. It holds
// no token.
type Grant struct {
	ID         string
	ClientID   string
	ClientName string // an unchecked claim of the client
	Principal  identity.Principal
	Name       string
	Username   string
	Resource   string    // the URL of the resource
	Scopes     []string  // of the resource
	Since      time.Time // zero for a grant of a version that did not store it
	LastUsed   time.Time // the latest refresh; an access token may have been used up to 10 minutes later

	scopeIDs []string
}

// grantsPerPage bounds the records in memory while grants are searched. A grant has at most some
// ten thousand bytes.
const grantsPerPage = 200

// Grants returns a page of grants in the order of their IDs, at most limit. After is the last ID of
// the page before, or "". The page is shorter only at the end.
func (b *Broker) Grants(ctx context.Context, filter GrantFilter, after string, limit int) ([]Grant, error) {
	searches, err := b.searches(ctx, filter)
	if err != nil {
		return nil, err
	}
	complete := searches[len(searches)-1]
	queries := b.queries(kindGrant, complete)
	for i := range queries {
		queries[i].After = after
	}
	var found []Grant
	err = b.eachGrant(ctx, queries, func(id string, g *grant) bool {
		if complete.matches(g.Principal, g.Username, g.ClientID) {
			found = append(found, b.describe(id, g))
		}
		return len(found) < limit
	})
	return found, err
}

func (b *Broker) describe(id string, g *grant) Grant {
	return Grant{
		ID:         id,
		ClientID:   g.ClientID,
		ClientName: g.ClientName,
		Principal:  g.Principal,
		Name:       g.Name,
		Username:   g.Username,
		Resource:   b.resourceOf(g.Scopes).URL,
		Scopes:     plainNames(g.Scopes),
		Since:      g.Created,
		LastUsed:   g.Rotated,
		scopeIDs:   g.Scopes,
	}
}

// eachGrant calls visit for the grants of some queries until it returns false. A record that cannot
// be decrypted grants nothing, so eachGrant passes over it.
func (b *Broker) eachGrant(
	ctx context.Context,
	queries []store.Query,
	visit func(id string, g *grant) bool,
) error {
	unreadable := 0
	defer func() {
		if unreadable > 0 {
			b.log.WarnContext(ctx, "some grants cannot be decrypted with the keys of this server, so they are void",
				"grants", unreadable,
				"setting", "MCP_KEYS_FILE")
		}
	}()
	return b.eachRecord(ctx, queries, func(record store.Record) bool {
		var g grant
		err := b.records.read(ctx, record, &g)
		if err == nil {
			return visit(record.Key, &g)
		}
		if !errors.Is(err, store.ErrNotFound) {
			unreadable++
		}
		return true
	})
}

// EndGrants ends the grants that a filter selects, and returns their number. It also deletes the
// codes, devices and sign-ins under way from which another grant could come, and the consent of
// the people to the clients. By says who ends them, for the log. After an error, some grants may
// have ended: call it again.
func (b *Broker) EndGrants(ctx context.Context, filter GrantFilter, by string) (ended int, err error) {
	searches, err := b.searches(ctx, filter)
	if err != nil {
		return 0, err
	}
	for _, selected := range searches {
		count, err := b.endSelected(ctx, selected, by)
		ended += count
		if err != nil {
			return ended, err
		}
	}
	if filter.ClientID == "" {
		err = b.forgetPeople(ctx, searches[0].people)
	}
	return ended, err
}

func (b *Broker) endSelected(ctx context.Context, selected search, by string) (ended int, err error) {
	// A code that is being redeemed becomes a grant only if its record is still there. So the codes
	// go first.
	if err := b.deletePending(ctx, selected); err != nil {
		return 0, err
	}
	var count atomic.Int64
	all, deleting := errgroup.WithContext(ctx)
	all.SetLimit(deletions)
	err = b.eachGrant(deleting, b.queries(kindGrant, selected), func(id string, g *grant) bool {
		if selected.matches(g.Principal, g.Username, g.ClientID) {
			all.Go(func() error {
				err := b.endByHand(deleting, id, g, by)
				if err == nil {
					count.Add(1)
				}
				return err
			})
		}
		return true
	})
	err = errors.Join(all.Wait(), err)
	return int(count.Load()), err
}

// deletions bounds the records that are deleted at once.
const deletions = 16

// deletePending deletes the codes and the sign-ins under way from which a grant could still come,
// and the tokens of applications, which have no grant.
func (b *Broker) deletePending(ctx context.Context, selected search) error {
	// A network is the source of a transaction, so the person's name finds none.
	transactions := []store.Query{{Kind: kindTransaction, Limit: grantsPerPage}}
	err := b.deleteSelected(ctx, transactions, func(record store.Record) bool {
		var tx transaction
		isSignedIn := b.records.read(ctx, record, &tx) == nil && tx.SignedIn != nil
		return isSignedIn && selected.matches(tx.SignedIn.Principal, tx.SignedIn.Username, tx.ClientID)
	})
	if err != nil {
		return err
	}
	// The source of a device is a network until a person has approved it.
	err = b.deleteSelected(ctx, b.queries(kindDevice, selected), func(record store.Record) bool {
		var d deviceAuthorization
		isApproved := b.records.read(ctx, record, &d) == nil && d.SignIn != nil
		return isApproved && selected.matches(d.SignIn.Principal, d.SignIn.Username, d.ClientID)
	})
	if err != nil {
		return err
	}
	if err := b.deleteAppTokens(ctx, selected); err != nil {
		return err
	}
	return b.deleteSelected(ctx, b.queries(kindCode, selected), func(record store.Record) bool {
		var code authorizationCode
		isReadable := b.records.read(ctx, record, &code) == nil
		return isReadable && selected.matches(code.SignIn.Principal, code.SignIn.Username, code.ClientID)
	})
}

// deleteAppTokens deletes the tokens of applications that a search selects. A search for a person
// selects none.
func (b *Broker) deleteAppTokens(ctx context.Context, selected search) error {
	if selected.filter.User != "" || selected.filter.Principal != nil {
		return nil
	}
	queries := []store.Query{{Kind: kindAppToken, Limit: grantsPerPage}}
	if selected.filter.ClientID != "" {
		queries = nil
		for _, name := range b.config.Keys.names(b.now(), "client", selected.filter.ClientID) {
			queries = append(queries, store.Query{Kind: kindAppToken, Source: name, Limit: grantsPerPage})
		}
	}
	return b.deleteSelected(ctx, queries, func(record store.Record) bool {
		var app appTokenRecord
		return b.records.read(ctx, record, &app) == nil && selected.matches(identity.Principal{}, "", app.ClientID)
	})
}

// deleteSelected deletes the records of some queries that isSelected selects.
func (b *Broker) deleteSelected(
	ctx context.Context,
	queries []store.Query,
	isSelected func(store.Record) bool,
) error {
	var selected []store.Record
	err := b.eachRecord(ctx, queries, func(record store.Record) bool {
		if isSelected(record) {
			selected = append(selected, store.Record{Kind: record.Kind, Key: record.Key})
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, record := range selected {
		if err := b.config.Store.Delete(ctx, record.Kind, record.Key); err != nil {
			return err
		}
	}
	return nil
}

// Grant returns a grant, or nil if it has ended.
func (b *Broker) Grant(ctx context.Context, grantID string) (*Grant, error) {
	g, err := b.findGrant(ctx, grantID)
	if errors.Is(err, ErrGrantOver) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	found := b.describe(grantID, g)
	return &found, nil
}

// EndGrant ends one grant, as EndGrants does. It returns false if the grant has ended already.
func (b *Broker) EndGrant(ctx context.Context, grantID, by string) (bool, error) {
	var g grant
	_, err := b.records.get(ctx, kindGrant, grantID, &g)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, b.endByHand(ctx, grantID, &g, by)
}

// endByHand ends a grant and deletes the consent of its person to its client.
func (b *Broker) endByHand(ctx context.Context, grantID string, g *grant, by string) error {
	// The consent goes first. If the store fails between the two, the grant is still found.
	err := b.config.Store.Delete(ctx, kindConsent, consentKey(g.Principal, g.ClientID))
	if err != nil {
		return err
	}
	if err := b.config.Store.Delete(ctx, kindGrant, grantID); err != nil {
		return err
	}
	b.log.InfoContext(ctx, "grant ended",
		"grant", grantID,
		"client", g.ClientID,
		"client_name", g.ClientName,
		"tenant", g.Principal.TenantID,
		"object", g.Principal.ObjectID,
		"by", by)
	return nil
}
