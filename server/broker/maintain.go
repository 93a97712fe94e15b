package broker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"mcpentra/server/store"
)

// kindMaintenance is the kind of the record that one replica at a time works by.
const kindMaintenance = "maintenance"

const (
	maintenancePause = time.Minute // between two looks at whether there is work
	pagePause        = 50 * time.Millisecond
	pageRecords      = 100
	// maintenanceLease is how long a replica that works keeps the others from the same work. It is
	// renewed with each page.
	maintenanceLease = time.Minute
	// maintenanceInterval is the time after which all records are read again. Replicas of the
	// version before write records that lack something.
	maintenanceInterval = 24 * time.Hour
	// maintenanceRetry is the time until the next pass, if records of older keys are left.
	maintenanceRetry = 5 * time.Minute
	// lastingRecord is the remaining life of the records that are rewritten. Others expire soon. A
	// code, for example, may be redeemed at this moment, and must not change then.
	lastingRecord = time.Hour
	// namesVersion grows when records get another Source or Group, or when people get records.
	namesVersion = 2
)

// A rewriting says how far the rewriting of records is.
type rewriting struct {
	// Key is the name of the key that encrypts, and Names the namesVersion of the records.
	Key   string `json:"key"`
	Names int    `json:"names"`
	// Done is when the last pass ended that left no record of another key.
	Done time.Time `json:"done"`
	// Next is the earliest time of the next pass, and Lease the time until which a replica works.
	Next  time.Time `json:"next"`
	Lease time.Time `json:"lease"`
}

// Maintain does the broker's background work until the context ends, and returns the context's
// error. After a change of the keys, it encrypts records anew, so that the older keys can go. It
// also adds to records what earlier versions did not store. The work is slow on purpose. One
// replica at a time does it.
func (b *Broker) Maintain(ctx context.Context) error {
	for {
		replaced := b.config.Keys.ring.Load().replaced
		if err := errors.Join(b.tidySigningKeys(ctx), b.maintain(ctx)); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "the background work failed, and is tried again", "error", err,
				"again_in", maintenancePause.String())
		}
		timer := time.NewTimer(maintenancePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-replaced:
		case <-timer.C:
		}
	}
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// maintain makes one pass over all records, if there is work and no other replica does it.
func (b *Broker) maintain(ctx context.Context) error {
	var state rewriting
	record, err := b.records.get(ctx, kindMaintenance, "rewriting", &state)
	if errors.Is(err, store.ErrNotFound) {
		record = store.Record{Kind: kindMaintenance, Key: "rewriting"}
		err = nil
	}
	if err != nil {
		return err
	}
	now := b.now()
	key := b.config.Keys.ring.Load().first(now).name()
	isCurrent := state.Key == key && state.Names == namesVersion
	if now.Before(state.Lease) || isCurrent && now.Before(state.Next) {
		return nil
	}
	pass := &pass{broker: b, key: key, record: record, state: state}
	pass.state.Key = key
	pass.state.Names = namesVersion
	if !isCurrent {
		pass.state.Done = time.Time{}
	}
	err = pass.run(ctx)
	if errors.Is(err, store.ErrConflict) {
		return nil // another replica does the work
	}
	return err
}

// A pass reads all records once, and rewrites some.
type pass struct {
	broker    *Broker
	key       string
	record    store.Record // of the state
	state     rewriting
	rewritten int
	left      int // records of other keys that remain
	lost      int // records that no key decrypts
}

func (p *pass) run(ctx context.Context) error {
	if err := p.renewLease(ctx); err != nil {
		return err
	}
	kinds, err := p.broker.config.Store.Kinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := p.readKind(ctx, kind); err != nil {
			return err
		}
	}
	return p.end(ctx)
}

func (p *pass) readKind(ctx context.Context, kind string) error {
	query := store.Query{Kind: kind, Limit: pageRecords}
	for {
		page, err := p.broker.config.Store.List(ctx, query)
		if err != nil {
			return err
		}
		for _, record := range page {
			if err := p.readRecord(ctx, record); err != nil {
				return err
			}
		}
		if len(page) < pageRecords {
			return nil
		}
		query.After = page[len(page)-1].Key
		if p.broker.now().Add(maintenanceLease / 2).After(p.state.Lease) {
			if err := p.renewLease(ctx); err != nil {
				return err
			}
		}
		if err := pause(ctx, pagePause); err != nil {
			return err
		}
	}
}

// readRecord rewrites a record of an older key, and a grant that is in no group.
func (p *pass) readRecord(ctx context.Context, record store.Record) error {
	b := p.broker
	if record.Kind == kindGrant {
		if err := b.rememberOwner(ctx, record); err != nil {
			return err
		}
	}
	isSealed := b.config.Keys.sealedByFirst(record.Value, b.now())
	isComplete := record.Kind != kindGrant || record.Group != ""
	switch {
	case isSealed && isComplete, record.Kind == kindMaintenance:
		return nil
	case record.Expires.Sub(b.now()) < lastingRecord:
		if !isSealed {
			p.left++
		}
		return nil
	}
	err := b.rewrite(ctx, record)
	switch {
	case err == nil:
		p.rewritten++
	case errors.Is(err, errUnknownKey), errors.Is(err, errSealBroken):
		p.lost++
	case errors.Is(err, store.ErrConflict):
		p.left++ // perhaps; the next pass will tell
	default:
		return err
	}
	return nil
}

// rewrite encrypts a record anew and names its person and client. It keeps the text of the value,
// because a newer version may have stored more than this one knows.
func (b *Broker) rewrite(ctx context.Context, record store.Record) error {
	text, err := b.config.Keys.open(record.Value, placeOf(record))
	if err != nil {
		return err
	}
	switch record.Kind {
	case kindGrant:
		var g grant
		if err := json.Unmarshal(text, &g); err != nil {
			return errSealBroken
		}
		b.nameGrant(&record, &g)
	case kindConsent:
		var consent consentRecord
		if err := json.Unmarshal(text, &consent); err != nil {
			return errSealBroken
		}
		if consent.Person != nil {
			record.Source = b.personSource(*consent.Person)
		}
	case kindPerson:
		var person personRecord
		if err := json.Unmarshal(text, &person); err != nil {
			return errSealBroken
		}
		b.namePerson(&record, &person)
	}
	record.Value, err = b.config.Keys.seal(b.config.Rand, b.now(), text, placeOf(record))
	if err != nil {
		return err
	}
	record.Once = comesOnce(record.Kind)
	_, err = b.config.Store.Put(ctx, record)
	return err
}

func (p *pass) renewLease(ctx context.Context) error {
	p.state.Lease = p.broker.now().Add(maintenanceLease)
	return p.keep(ctx)
}

func (p *pass) keep(ctx context.Context) error {
	p.record.Expires = lasting(p.broker.now())
	version, err := p.broker.records.putAgain(ctx, p.record, p.state)
	p.record.Version = version
	return err
}

// end records the result of a pass. When the last record of the older keys has gone, it says so
// once.
func (p *pass) end(ctx context.Context) error {
	b := p.broker
	wasDone := !p.state.Done.IsZero()
	p.state.Lease = time.Time{}
	p.state.Next = b.now().Add(maintenanceInterval)
	if p.left > 0 {
		p.state.Next = b.now().Add(maintenanceRetry)
	} else {
		p.state.Done = b.now()
	}
	if err := p.keep(ctx); err != nil {
		return err
	}
	older := b.config.Keys.olderNames(b.now())
	if p.rewritten > 0 {
		b.log.InfoContext(ctx, "records were rewritten", "records", p.rewritten, "key", p.key, "left", p.left)
	}
	if p.lost > 0 {
		b.log.WarnContext(ctx, "records cannot be decrypted with any key of the keys file", "records", p.lost)
	}
	if p.left == 0 && !wasDone && len(older) > 0 {
		b.log.InfoContext(ctx, "no record uses the older keys any more: remove them with mcp-entra-server keys prune",
			"keys", older)
	}
	return nil
}
