package store

import (
	"context"
	"slices"
	"time"
)

func (f *file) List(ctx context.Context, query Query) ([]Record, error) {
	statement := `SELECT key, value, version, expires, source, group_name FROM records
		WHERE kind = ? AND key > ? AND expires > ?`
	arguments := []any{query.Kind, query.After, f.config.Time().Unix()}
	if query.Source != "" {
		statement += " AND source = ?"
		arguments = append(arguments, query.Source)
	}
	if query.Group != "" {
		statement += " AND group_name = ?"
		arguments = append(arguments, query.Group)
	}
	if err := f.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer f.endTurn()
	// An interrupted statement could end the next caller's statement as well.
	rows, err := f.connection.QueryContext(context.WithoutCancel(ctx), statement+" ORDER BY key LIMIT ?",
		append(arguments, query.PageSize())...)
	if err != nil {
		return nil, f.explain(err)
	}
	defer rows.Close()
	var page []Record
	for rows.Next() {
		record := Record{Kind: query.Kind}
		var expires int64
		err := rows.Scan(&record.Key, &record.Value, &record.Version, &expires, &record.Source, &record.Group)
		if err != nil {
			return nil, f.explain(err)
		}
		record.Expires = time.Unix(expires, 0)
		page = append(page, record)
	}
	if err := rows.Err(); err != nil {
		return nil, f.explain(err)
	}
	return page, nil
}

func (f *file) Kinds(ctx context.Context) ([]string, error) {
	if err := f.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer f.endTurn()
	// It looks up each kind in the index. SELECT DISTINCT would read all of the index.
	rows, err := f.connection.QueryContext(context.WithoutCancel(ctx), `WITH RECURSIVE kinds (kind) AS (
			SELECT min(kind) FROM records
			UNION ALL
			SELECT (SELECT min(kind) FROM records WHERE kind > kinds.kind) FROM kinds WHERE kind IS NOT NULL
		) SELECT kind FROM kinds WHERE kind IS NOT NULL`)
	if err != nil {
		return nil, f.explain(err)
	}
	defer rows.Close()
	var kinds []string
	for rows.Next() {
		var kind string
		if err := rows.Scan(&kind); err != nil {
			return nil, f.explain(err)
		}
		kinds = append(kinds, kind)
	}
	if err := rows.Err(); err != nil {
		return nil, f.explain(err)
	}
	return kinds, nil
}

func (m *memory) List(ctx context.Context, query Query) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shelf := m.shelf(query.Kind)
	var keys []string
	for key, found := range shelf.byKey {
		isOfSource := query.Source == "" || found.Source == query.Source
		isOfGroup := query.Group == "" || found.Group == query.Group
		if key > query.After && isOfSource && isOfGroup {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var page []Record
	for _, key := range keys[:min(len(keys), query.PageSize())] {
		page = append(page, shelf.byKey[key].copy())
	}
	return page, nil
}

func (m *memory) Kinds(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var kinds []string
	for kind, shelf := range m.kinds {
		if len(shelf.byKey) > 0 {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds, nil
}
