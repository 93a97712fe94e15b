package checks

import (
	"context"
	"encoding/json"
	"slices"

	"mcpentra/conformance/engine"
)

// sharedID publishes two keys under one ID. The order is that of the document.
func (r *rig) sharedID(ctx context.Context, first string) error {
	var own struct {
		Issuer string `json:"issuer"`
	}
	for _, key := range r.issuers {
		if err := json.Unmarshal(key, &own); err == nil && own.Issuer != "" {
			break
		}
	}
	if own.Issuer == "" {
		return &engine.NotApplicable{Reason: "the issuer's keys do not say whose they are"}
	}
	mine, anothers := strangersFor(r.algorithm), strangersFor(r.algorithm)
	const id = "shared"
	keys := []json.RawMessage{
		r.use(id, anothers, member("issuer", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")),
		r.use(id, mine, member("issuer", own.Issuer)),
	}
	if first == "the issuer's" {
		slices.Reverse(keys)
	}
	r.publish(keys...)
	name := ", with " + first + " of that ID first"
	if err := r.accepted(ctx, "the issuer's key"+name, id); err != nil {
		return err
	}
	r.made[id] = anothers
	return r.denied(ctx, "another issuer's key"+name, id, undecided...)
}
