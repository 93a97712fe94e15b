package broker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// kindPerson is the kind of the records by which an administrator's words find a person.
const kindPerson = "person"

// personLifetime is how long a person is found after a sign-in. The daily pass of Maintain extends
// it for people with grants, once half of it has passed.
const personLifetime = 3 * grantLifetime

// A personRecord is a person who has signed in. Its source is the object ID, and its group the user
// name as Entra last gave it. So both find the record.
type personRecord struct {
	Principal identity.Principal `json:"principal"`
	Username  string             `json:"username"`
}

func personKey(person identity.Principal) string {
	return hashed(strings.Join(personParts(person), "\x00"))
}

// objectParts and usernameParts are the parts of the names of people. Case does not count in them.
func objectParts(id string) []string { return []string{"object", strings.ToLower(id)} }

func usernameParts(name string) []string { return []string{"username", strings.ToLower(name)} }

// rememberPerson lets an administrator find a person. It runs before a grant of the person is
// stored.
func (b *Broker) rememberPerson(ctx context.Context, person identity.Principal, username string) error {
	made := store.Record{
		Kind:    kindPerson,
		Key:     personKey(person),
		Source:  b.config.Keys.name(b.now(), objectParts(person.ObjectID)...),
		Group:   b.config.Keys.name(b.now(), usernameParts(username)...),
		Expires: b.now().Add(personLifetime),
	}
	isKnown := func(known store.Record) bool {
		isNamed := known.Source == made.Source && known.Group == made.Group
		return isNamed && made.Expires.Sub(known.Expires) < personLifetime/2
	}
	known, err := b.records.findCached(ctx, made.Kind, made.Key)
	if err == nil && isKnown(known) {
		return nil
	}
	for {
		known, err = b.records.find(ctx, made.Kind, made.Key)
		isMissing := errors.Is(err, store.ErrNotFound)
		if err != nil && !isMissing || err == nil && isKnown(known) {
			return err
		}
		made.Version = known.Version // 0 if there is none
		err = b.records.put(ctx, made, personRecord{Principal: person, Username: username})
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// namePerson gives a person's record the names under the key that encrypts now.
func (b *Broker) namePerson(record *store.Record, person *personRecord) {
	record.Source = b.config.Keys.name(b.now(), objectParts(person.Principal.ObjectID)...)
	record.Group = b.config.Keys.name(b.now(), usernameParts(person.Username)...)
}

// findPeople returns the people of an object ID or a user name. After a change of the keys, records
// have names under different keys.
func (b *Broker) findPeople(ctx context.Context, user string) ([]identity.Principal, error) {
	var queries []store.Query
	for _, name := range b.config.Keys.names(b.now(), objectParts(user)...) {
		queries = append(queries, store.Query{Kind: kindPerson, Source: name})
	}
	for _, name := range b.config.Keys.names(b.now(), usernameParts(user)...) {
		queries = append(queries, store.Query{Kind: kindPerson, Group: name})
	}
	var people []identity.Principal
	err := b.eachRecord(ctx, queries, func(record store.Record) bool {
		var found personRecord
		if b.records.read(ctx, record, &found) == nil {
			people = append(people, found.Principal)
		}
		return true
	})
	return people, err
}

// forgetPeople deletes the records of people whose grants have ended.
func (b *Broker) forgetPeople(ctx context.Context, people []identity.Principal) error {
	for _, person := range people {
		if err := b.config.Store.Delete(ctx, kindPerson, personKey(person)); err != nil {
			return err
		}
	}
	return nil
}

// rememberOwner is rememberPerson for the person of a stored grant. The version before has stored
// grants without it.
func (b *Broker) rememberOwner(ctx context.Context, record store.Record) error {
	text, err := b.config.Keys.open(record.Value, placeOf(record))
	if err != nil {
		return nil // the pass counts it
	}
	var g grant
	if err := json.Unmarshal(text, &g); err != nil {
		return nil
	}
	return b.rememberPerson(ctx, g.Principal, g.Username)
}
