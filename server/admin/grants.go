package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcpentra/server/broker"
)

// A grant is a grant in an answer.
type grant struct {
	ID         string     `json:"id"`
	ClientID   string     `json:"client_id"`
	ClientName string     `json:"client_name"`
	Tenant     string     `json:"tenant_id"`
	Object     string     `json:"object_id"`
	Name       string     `json:"name"`
	Username   string     `json:"username"`
	Resource   string     `json:"resource"`
	Scopes     []string   `json:"scopes"`
	Since      *time.Time `json:"since,omitempty"`
	LastUsed   time.Time  `json:"last_used"`
}

func newGrant(found broker.Grant) grant {
	made := grant{
		ID:         found.ID,
		ClientID:   found.ClientID,
		ClientName: found.ClientName,
		Tenant:     found.Principal.TenantID,
		Object:     found.Principal.ObjectID,
		Name:       found.Name,
		Username:   found.Username,
		Resource:   found.Resource,
		Scopes:     found.Scopes,
		LastUsed:   found.LastUsed.UTC(),
	}
	if !found.Since.IsZero() {
		since := found.Since.UTC()
		made.Since = &since
	}
	return made
}

// A page is a page of grants. Next is the value of after for the next page. It is empty on the last
// page.
type page struct {
	Grants []grant `json:"grants"`
	Next   string  `json:"next,omitempty"`
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	query, ok := h.readQuery(w, r, "user", "client", "after", "limit")
	if !ok {
		return
	}
	limit := defaultLimit
	if text := query.Get("limit"); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > maxLimit {
			h.answerError(w, http.StatusBadRequest,
				fmt.Sprintf("limit is %q: want a number from 1 to %d", clip(text), maxLimit))
			return
		}
		limit = number
	}
	found, err := h.config.Broker.Grants(r.Context(), filterOf(query), query.Get("after"), limit)
	if err != nil {
		h.storeFailed(w, r, err)
		return
	}
	listed := page{Grants: []grant{}}
	for _, one := range found {
		listed.Grants = append(listed.Grants, newGrant(one))
	}
	if len(found) == limit {
		listed.Next = found[limit-1].ID
	}
	h.answer(w, http.StatusOK, listed)
}

func (h *handler) show(w http.ResponseWriter, r *http.Request) {
	found, err := h.config.Broker.Grant(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		h.storeFailed(w, r, err)
	case found == nil:
		h.answerError(w, http.StatusNotFound, "no grant has this ID; it may have ended")
	default:
		h.answer(w, http.StatusOK, newGrant(*found))
	}
}

// byAdministrator is the log's word for the one who ends a grant.
const byAdministrator = "an administrator"

func (h *handler) end(w http.ResponseWriter, r *http.Request) {
	ended, err := h.config.Broker.EndGrant(r.Context(), r.PathValue("id"), byAdministrator)
	switch {
	case err != nil:
		h.storeFailed(w, r, err)
	case !ended:
		h.answerError(w, http.StatusNotFound, "no grant has this ID; it may have ended")
	default:
		h.answer(w, http.StatusOK, map[string]int{"ended": 1})
	}
}

// endSelected ends grants of a user, of a client, of a user at a client, or all of them. A request
// that selects nothing is an error, so that a forgotten parameter does not end all.
func (h *handler) endSelected(w http.ResponseWriter, r *http.Request) {
	query, ok := h.readQuery(w, r, "user", "client", "all")
	if !ok {
		return
	}
	filter := filterOf(query)
	isFiltered := filter.User != "" || filter.ClientID != ""
	isAll := query.Get("all") == "true"
	if isFiltered == isAll {
		h.answerError(w, http.StatusBadRequest, "want user, client or both, or all=true alone")
		return
	}
	ended, err := h.config.Broker.EndGrants(r.Context(), filter, byAdministrator)
	h.log.InfoContext(r.Context(), "an administrator ended grants",
		"ended", ended,
		"user", clip(filter.User),
		"client", clip(filter.ClientID),
		"all", isAll,
		"address", r.RemoteAddr)
	if err != nil {
		h.storeFailed(w, r, err)
		return
	}
	h.answer(w, http.StatusOK, map[string]int{"ended": ended})
}

func filterOf(query url.Values) broker.GrantFilter {
	return broker.GrantFilter{User: query.Get("user"), ClientID: query.Get("client")}
}

// readQuery reads the parameters of a request. It refuses unknown and repeated ones: a misspelt
// parameter would select more than the administrator means.
func (h *handler) readQuery(w http.ResponseWriter, r *http.Request, known ...string) (url.Values, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		h.answerError(w, http.StatusBadRequest, "the query is not form-encoded")
		return nil, false
	}
	for name, values := range query {
		if !slices.Contains(known, name) || len(values) != 1 || values[0] == "" {
			h.answerError(w, http.StatusBadRequest,
				fmt.Sprintf("the parameter %q is unknown, empty or repeated: want %q", clip(name), known))
			return nil, false
		}
	}
	return query, true
}

func (h *handler) storeFailed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	h.log.ErrorContext(r.Context(), "the store failed", "error", err)
	w.Header().Set("Retry-After", "5")
	h.answerError(w, http.StatusServiceUnavailable, "the store cannot be reached; repeat the request")
}
