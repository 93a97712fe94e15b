package fakeentra

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/graph"
	"mcpentra/fakeentra/internal/signing"
)

// graphCaller returns the bearer of a token for Graph: a person with scopes, or an app with roles.
// Its error is a *graph.Refusal.
func (f *Fake) graphCaller(_ context.Context, raw string) (*graph.Caller, error) {
	claims, err := f.keys.Verify(raw, f.clock.now())
	switch {
	case errors.Is(err, signing.ErrExpired):
		return nil, graph.ErrExpired
	case err != nil:
		return nil, graph.ErrNotValid
	}
	if audience := text(claims, "aud"); audience != f.graphURL && audience != directory.GraphAppID {
		return nil, graph.ErrWrongAudience
	}
	if refusedByGraph(f.state, f.clock.now(), claims) {
		return nil, graph.Revoked(f.clock.now(), popNonce(f.config, f.random))
	}
	tenant := f.directory.Tenant(text(claims, "tid"))
	if tenant == nil {
		return nil, graph.ErrNotValid
	}
	caller := &graph.Caller{Tenant: tenant}
	if text(claims, "idtyp") == "app" {
		caller.Roles = texts(claims, "roles")
		return caller, nil
	}
	caller.User = tenant.User(text(claims, "oid"))
	if caller.User == nil {
		return nil, graph.ErrNotValid // the directory lost the person
	}
	client, _ := claims["xms_st"].(map[string]any)
	caller.Scopes = strings.Fields(text(claims, "scp"))
	caller.SubjectAtClient = text(client, "sub")
	return caller, nil
}

// graphPageSize returns the number of entries of a page of Graph.
func (f *Fake) graphPageSize() int {
	return cmp.Or(f.config.GraphPageSize, f.directory.GraphPageSize, graph.DefaultPageSize)
}

func text(claims map[string]any, name string) string {
	value, _ := claims[name].(string)
	return value
}

// texts returns a claim that is an array of strings.
func texts(claims map[string]any, name string) []string {
	values, _ := claims[name].([]any)
	var found []string
	for _, value := range values {
		if word, isText := value.(string); isText {
			found = append(found, word)
		}
	}
	return found
}
