package attack

import (
	"context"
	"encoding/json"
	"slices"

	"mcpentra/conformance/check"
)

// SharedID publishes two keys under one ID. The order is that of the document.
func (r *Fixture) SharedID(ctx context.Context, first string) error {
	var own struct {
		Issuer string `json:"issuer"`
	}
	for _, key := range r.Issuers {
		if err := json.Unmarshal(key, &own); err == nil && own.Issuer != "" {
			break
		}
	}
	if own.Issuer == "" {
		return &check.NotApplicable{Reason: "the issuer's keys do not say whose they are"}
	}
	mine := StrangersFor(r.Algorithm)
	anothers := StrangersFor(r.Algorithm)
	const id = "shared"
	keys := []json.RawMessage{
		r.Use(
			id,
			anothers,
			Member("issuer", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
		),
		r.Use(id, mine, Member("issuer", own.Issuer)),
	}
	if first == "the issuer's" {
		slices.Reverse(keys)
	}
	r.Publish(keys...)
	name := ", with " + first + " of that ID first"
	if err := r.Accepted(ctx, "the issuer's key"+name, id); err != nil {
		return err
	}
	r.Made[id] = anothers
	return r.Refuses(ctx, "another issuer's key"+name, id, Undecided...)
}
