package store

import (
	"context"
	"slices"
	"time"
)

func (f *file) List(ctx context.Context, query Query) ([]Record, error) {
	statement := listStatement(query)
	arguments := []any{query.Kind, query.After, f.config.Time().Unix()}
	for _, name := range []string{query.Source, query.Group} {
		if name != "" {
			arguments = append(arguments, name)
		}
	}
	if err := f.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer f.endTurn()
	// An interrupted statement could end the next caller's statement as well.
	arguments = append(arguments, query.PageSize())
	rows, err := f.connection.QueryContext(context.WithoutCancel(ctx), statement, arguments...)
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

// listStatement names the index of a query. SQLite would go through all records of the kind,
// because they are in the wanted order.
func listStatement(query Query) string {
	from := "records"
	where := "kind = ? AND key > ? AND expires > ?"
	if query.Source != "" {
		from = "records INDEXED BY records_by_source"
		where += " AND source = ?"
	}
	if query.Group != "" {
		// The index holds only records with a group. SQLite has to know that the query needs no
		// others.
		where += " AND group_name = ? AND group_name > ''"
	}
	if query.Group != "" && query.Source == "" {
		from = "records INDEXED BY records_by_group"
	}
	return "SELECT key, value, version, expires, source, group_name FROM " + from + " WHERE " + where +
		" ORDER BY key LIMIT ?"
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
