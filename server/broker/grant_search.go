package broker

import (
	"context"
	"errors"
	"slices"
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A GrantFilter selects grants. Empty fields select all.
type GrantFilter struct {
	// User is an object ID, or a user name as Entra last gave it. Case does not count.
	User string
	// ClientID is a client.
	ClientID string
	// Principal is a person. User does not count then.
	Principal *identity.Principal
}

// A search finds the records that a filter selects.
type search struct {
	filter GrantFilter
	people []identity.Principal // of the filter's User or Principal; nil means unknown
	isAll  bool                 // it reads all records of a kind
}

func (s search) matches(person identity.Principal, username, clientID string) bool {
	isClient := s.filter.ClientID == "" || s.filter.ClientID == clientID
	isPerson := false
	switch {
	case s.filter.Principal != nil:
	case s.filter.User == "":
		isPerson = true
	default:
		isPerson = strings.EqualFold(s.filter.User, person.ObjectID) || strings.EqualFold(s.filter.User, username)
	}
	return isClient && (isPerson || slices.Contains(s.people, person))
}

// searches returns the searches for a filter, the fastest first. The last one finds all. It reads
// all records only if the filter selects all, or if some records may lack the names by which the
// others find them.
func (b *Broker) searches(ctx context.Context, filter GrantFilter) ([]search, error) {
	if filter.Principal != nil {
		return []search{{filter: filter, people: []identity.Principal{*filter.Principal}}}, nil
	}
	everything := search{filter: filter, isAll: true}
	if filter.User == "" && filter.ClientID == "" {
		return []search{everything}, nil
	}
	isComplete, err := b.namesAreComplete(ctx)
	if err != nil {
		return nil, err
	}
	named := search{filter: filter}
	if filter.User != "" {
		named.people, err = b.findPeople(ctx, filter.User)
		if err != nil {
			return nil, err
		}
		everything.people = named.people
		if len(named.people) == 0 {
			return []search{everything}, nil
		}
	}
	if isComplete {
		return []search{named}, nil
	}
	return []search{named, everything}, nil
}

// namesAreComplete reports whether Maintain has given all records the names of this version.
func (b *Broker) namesAreComplete(ctx context.Context) (bool, error) {
	var state rewriting
	_, err := b.records.get(ctx, kindMaintenance, "rewriting", &state)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return state.Names >= namesVersion && !state.Done.IsZero(), err
}

// queries returns the queries of a search in a kind whose records have their person as source.
// After a change of the keys, records have names under different keys until they are written again.
func (b *Broker) queries(kind string, s search) []store.Query {
	isOfClient := s.filter.User == "" && s.filter.Principal == nil && kind == kindGrant
	if s.isAll || len(s.people) == 0 && !isOfClient {
		return []store.Query{{Kind: kind, Limit: grantsPerPage}}
	}
	var queries []store.Query
	for _, person := range s.people {
		for _, name := range b.config.Keys.names(b.now(), personParts(person)...) {
			queries = append(queries, store.Query{Kind: kind, Source: name, Limit: grantsPerPage})
		}
	}
	if isOfClient {
		for _, name := range b.config.Keys.names(b.now(), "client", s.filter.ClientID) {
			queries = append(queries, store.Query{Kind: kind, Group: name, Limit: grantsPerPage})
		}
	}
	return queries
}
