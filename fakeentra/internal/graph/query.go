package graph

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxTop bounds the entries of one page, as at Graph.
	maxTop = 999
	// DefaultPageSize is the number of entries of a page without $top. Graph has 100.
	DefaultPageSize = 10
	// maxQuery bounds the query of an address in bytes.
	maxQuery = 16 << 10
)

// A query holds the query options of a request (OData).
type query struct {
	selected []string
	filter   *filter
	orderBy  string // property, or empty
	reverse  bool
	search   *search
	top      int // 0 without $top
	count    bool
	eventual bool // the header ConsistencyLevel
	offset   int  // of the first entry, from $skiptoken
}

// A collection says how a list can be queried.
type collection struct {
	context string   // its name in @odata.context
	samples []entity // one of each type, for the names and types of their properties
	// references marks a list of references such as memberOf. Most options need an advanced query
	// there, and the entries have @odata.type.
	references bool
}

// readQuery parses the query options of a request for a collection.
func (c *call) readQuery(set *collection) (*query, *problem) {
	values, wrong := c.options("$select", "$filter", "$orderby", "$search", "$top", "$count", "$skiptoken")
	if wrong != nil {
		return nil, wrong
	}
	q := &query{
		selected: names(values.Get("$select")),
		count:    strings.EqualFold(values.Get("$count"), "true"),
		eventual: strings.EqualFold(c.r.Header.Get("ConsistencyLevel"), "eventual"),
	}
	if source := values.Get("$filter"); source != "" {
		q.filter, wrong = parseFilter(source, set.samples...)
		if wrong != nil {
			return nil, wrong
		}
	}
	for _, read := range []func(url.Values, *collection) *problem{q.readOrder, q.readSearch, q.readTop} {
		if wrong := read(values, set); wrong != nil {
			return nil, wrong
		}
	}
	if wrong := q.checkAdvanced(set); wrong != nil {
		return nil, wrong
	}
	if token := values.Get("$skiptoken"); token != "" {
		q.offset, wrong = c.readSkipToken(token)
	}
	return q, wrong
}

// options returns the query options, and refuses those that this path does not have.
func (c *call) options(known ...string) (url.Values, *problem) {
	if len(c.r.URL.RawQuery) > maxQuery {
		return nil, badRequest("The query has more than %d characters.", maxQuery)
	}
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("The query is not well formed.")
	}
	for name, all := range values {
		switch {
		case !strings.HasPrefix(name, "$"):
		case !slices.Contains(known, name):
			return nil, badRequest("The query option '%s' is not supported here.", name)
		case len(all) > 1:
			return nil, badRequest("Query option '%s' was specified more than once, "+
				"but it must be specified at most once.", name)
		}
	}
	return values, nil
}

// names splits the value of $select.
func names(selected string) []string {
	var all []string
	for name := range strings.SplitSeq(selected, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// readOrder reads $orderby: one property, and asc or desc.
func (q *query) readOrder(values url.Values, set *collection) *problem {
	words := strings.Fields(values.Get("$orderby"))
	if len(words) == 0 {
		return nil
	}
	q.reverse = len(words) == 2 && words[1] == "desc"
	isOrder := len(words) == 1 || len(words) == 2 && (q.reverse || words[1] == "asc")
	if !isOrder || !slices.Contains([]string{"displayName", "userPrincipalName", "mail"}, words[0]) {
		return &problem{400, "Request_UnsupportedQuery", "Sorting not supported for current query."}
	}
	q.orderBy = words[0]
	return nil
}

func (q *query) readTop(values url.Values, _ *collection) *problem {
	text := values.Get("$top")
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return badRequest("Invalid value '%s' for $top query option found. "+
			"The $top query option requires a non-negative integer value.", text)
	}
	if n < 1 || n > maxTop {
		return badBody("Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", text, maxTop)
	}
	q.top = n
	return nil
}

// A search is the value of $search: a part of a property's text.
type search struct {
	property string
	part     string
}

// readSearch reads $search in the form "property:text", with its quotes.
func (q *query) readSearch(values url.Values, set *collection) *problem {
	source := values.Get("$search")
	if source == "" {
		return nil
	}
	inner, isQuoted := strings.CutPrefix(source, `"`)
	inner, isClosed := strings.CutSuffix(inner, `"`)
	property, part, isPair := strings.Cut(inner, ":")
	if !isQuoted || !isClosed || !isPair || strings.Contains(inner, `"`) {
		return badRequest(`Syntax error: want one clause like "displayName:text" in $search, with its quotes.`)
	}
	for i := range set.samples {
		if found := set.samples[i].find(property); found != nil && found.form == formText {
			q.search = &search{property, strings.ToLower(part)}
			return nil
		}
	}
	return badRequest("Property %s is not supported in $search.", property)
}

// checkAdvanced refuses what Graph supports only with the header ConsistencyLevel and, except for
// $search, with $count=true.
func (q *query) checkAdvanced(set *collection) *problem {
	isAdvanced := q.eventual && q.count
	switch {
	case q.search != nil && !q.eventual:
		return &problem{400, "Request_UnsupportedQuery", "Request with $search query parameter only works through " +
			"MSGraph with a special request header: 'ConsistencyLevel: eventual'"}
	case isAdvanced:
		return nil
	case q.filter != nil && set.references:
		return &problem{400, "Request_UnsupportedQuery",
			"The specified filter to the reference property query is currently not supported."}
	case q.filter != nil && q.filter.advanced != "":
		return needsAdvanced(q.filter.advanced)
	case q.orderBy != "" && (q.filter != nil || set.references):
		return &problem{400, "Request_UnsupportedQuery", "Sorting not supported for current query."}
	}
	return nil
}

// matching returns the entities that pass the filter and the search, in the order of $orderby.
func (q *query) matching(all []entity) []entity {
	var found []entity
	for i := range all {
		e := &all[i]
		if q.filter != nil && !q.filter.passes(e) || q.search != nil && !q.search.finds(e) {
			continue
		}
		found = append(found, *e)
	}
	if q.orderBy != "" {
		slices.SortStableFunc(found, func(a, b entity) int {
			return strings.Compare(sortKey(&a, q.orderBy), sortKey(&b, q.orderBy))
		})
	}
	if q.reverse {
		slices.Reverse(found)
	}
	return found
}

func (s *search) finds(e *entity) bool { return strings.Contains(sortKey(e, s.property), s.part) }

// sortKey returns a text in lower case, or nothing.
func sortKey(e *entity, name string) string {
	if p := e.find(name); p != nil {
		value, _ := p.value.(string)
		return strings.ToLower(value)
	}
	return ""
}
