package mask

import (
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/internal/verify/document"
	"mcpentra/fakeentra/internal/verify/recording"
)

// A Masker masks exchanges with one authority. It is safe for concurrent use.
type Masker struct {
	// Authority and Graph are scheme and host of the authority and of Graph. They become
	// {authority} and {graph}.
	Authority string
	Graph     string
}

// A Raw is an exchange before it is masked.
type Raw struct {
	Method        string
	URL           *url.URL
	RequestHeader http.Header
	RequestBody   []byte
	Status        int
	Header        http.Header
	Body          []byte
}

// Exchange masks an exchange.
func (m Masker) Exchange(raw Raw) recording.Exchange {
	s := &scope{masker: m, places: map[string]string{}}
	exchange := recording.Exchange{
		Method: raw.Method,
		URL:    s.address(raw.URL),
		Form:   s.form(raw),
		Status: raw.Status,
		Header: map[string]string{},
	}
	exchange.RequestHeader = s.requestHeader(raw.RequestHeader)
	for _, name := range headers {
		values := raw.Header.Values(name)
		switch {
		case len(values) == 0:
		case name == "Location":
			exchange.Header[name] = s.location(values[0])
		case !masksHeader[name]:
			exchange.Header[name] = strings.Join(values, ", ")
		default:
			exchange.Header[name] = s.text(strings.Join(values, ", "), "header "+name)
		}
	}
	kind, _, _ := mime.ParseMediaType(raw.Header.Get("Content-Type"))
	switch body, err := document.Parse(raw.Body); {
	case kind == "text/html":
		exchange.Page = s.page(string(raw.Body))
	case err == nil && len(raw.Body) > 0:
		exchange.Tokens = s.tokens(body)
		exchange.Body = s.value(body, "", "")
	}
	return exchange
}

// A scope masks one exchange. It knows the place where each value first occurred.
type scope struct {
	masker Masker
	places map[string]string // place in brackets by value, in lower case for IDs
	secret []string          // the values of the request that texts of the answer may repeat
}

// place returns the mask of a value. The first call for a value decides.
func (s *scope) place(kind, value, where string) string {
	key := value
	if kind == "guid" {
		key = strings.ToLower(value)
	}
	if wellKnown[key] {
		return value
	}
	if place, found := s.places[key]; found {
		return place
	}
	place := "[" + kind + " " + where + "]"
	s.places[key] = place
	return place
}

// repeated masks a value of the request. The texts of the answer lose it, too.
func (s *scope) repeated(kind, value, where string) string {
	const shortest = 3 // shorter values occur in sentences by chance
	if value == "" || isMask(value) {
		return value
	}
	place := s.place(kind, value, where)
	if len(value) >= shortest && !slices.Contains(s.secret, value) {
		s.secret = append(s.secret, value)
		// The longest first: one value can be part of another.
		slices.SortStableFunc(s.secret, func(a, b string) int { return len(b) - len(a) })
	}
	return place
}

// address masks the address of a request.
func (s *scope) address(u *url.URL) string {
	origin := s.text(u.Scheme+"://"+u.Host, "host")
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, part := range parts {
		switch {
		case segments[part] || part == "":
		case isGUID(part):
			parts[i] = s.place("guid", part, "path")
		default:
			parts[i] = s.repeated("name", part, "path")
		}
	}
	masked := origin + "/" + strings.Join(parts, "/")
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return masked + "?[broken query]"
	}
	return masked + s.query("?", "query", query)
}

// query masks parameters, sorted by name.
func (s *scope) query(before, where string, query url.Values) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			plain := memberName(name)
			text.WriteString(before + plain + "=" + s.parameter(name, value, where+" "+plain))
			before = "&"
		}
	}
	return text.String()
}

func (s *scope) form(raw Raw) []recording.Field {
	kind, _, _ := mime.ParseMediaType(raw.RequestHeader.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return nil
	}
	params, err := url.ParseQuery(string(raw.RequestBody))
	if err != nil {
		return []recording.Field{{Name: "[broken form]"}}
	}
	var fields []recording.Field
	for _, name := range slices.Sorted(maps.Keys(params)) {
		for _, value := range params[name] {
			plain := memberName(name)
			fields = append(fields, recording.Field{Name: plain, Value: s.parameter(name, value, "form "+plain)})
		}
	}
	return fields
}

// parameter masks the value of a parameter of a request, or of a redirect.
func (s *scope) parameter(name, value, where string) string {
	switch {
	case value == "":
		return ""
	case name == "scope":
		return s.scopes(value, where)
	case name == "authorization_endpoint":
		if u, err := url.Parse(value); err == nil {
			return s.address(u)
		}
		return s.repeated("secret", value, where)
	case parameters[name]:
		return s.text(value, where)
	case isGUID(value):
		return s.place("guid", value, where)
	}
	return s.repeated("secret", value, where)
}

// scopes masks the names of scopes. Their order means nothing, so they are sorted.
func (s *scope) scopes(value, where string) string {
	names := strings.Fields(value)
	for i, name := range names {
		slash := strings.LastIndexByte(name, '/')
		resource := name[:slash+1]
		short := name[slash+1:]
		if !scopeNames[short] {
			short = s.repeated("scope", short, where)
		}
		switch {
		case resource == "":
		case resource == s.masker.Graph+"/", resource == "https://graph.microsoft.com/":
			resource = "{graph}/"
		case isGUID(strings.Trim(strings.TrimPrefix(resource, "api://"), "/")):
			resource = s.text(resource, where)
		default:
			resource = s.repeated("resource", strings.TrimSuffix(resource, "/"), where) + "/"
		}
		names[i] = resource + short
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// requestHeader masks the fields of a request that change the answer.
func (s *scope) requestHeader(header http.Header) map[string]string {
	masked := map[string]string{}
	for _, name := range []string{"Access-Control-Request-Method", "Content-Type"} {
		if value := header.Get(name); value != "" {
			masked[name] = value
		}
	}
	if origin := header.Get("Origin"); origin != "" {
		masked["Origin"] = s.repeated("origin", origin, "request header Origin")
	}
	if id := header.Get("Client-Request-Id"); isGUID(id) {
		masked["Client-Request-Id"] = s.place("guid", id, "request header Client-Request-Id")
	}
	if value := header.Get("Authorization"); value != "" {
		scheme, credential, _ := strings.Cut(value, " ")
		masked["Authorization"] = scheme + " " + s.repeated("secret", credential, "request header Authorization")
	}
	return masked
}

// location masks the address of a redirect.
func (s *scope) location(address string) string {
	head, fragment, hasFragment := strings.Cut(address, "#")
	head, query, hasQuery := strings.Cut(head, "?")
	masked := s.text(head, "header Location")
	if strings.HasPrefix(head, s.masker.Authority+"/") {
		if u, err := url.Parse(head); err == nil {
			masked = s.address(u)
		}
	} else if masked == head || strings.HasPrefix(masked, "http") {
		masked = s.place("redirect", head, "header Location")
	}
	if hasQuery {
		masked += "?" + s.ordered(query)
	}
	if hasFragment {
		masked += "#" + s.ordered(fragment)
	}
	return masked
}

// ordered masks the parameters of a redirect in the order of the wire.
func (s *scope) ordered(query string) string {
	if query == "" {
		return ""
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value
		}
		known := memberName(name)
		parts[i] = known + "=" + s.parameter(name, plain, "redirect "+known)
	}
	return strings.Join(parts, "&")
}
