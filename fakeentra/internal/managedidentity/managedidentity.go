package managedidentity

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

// MetadataOrigin is the constant address of IMDS.
const MetadataOrigin = "http://169.254.169.254"

// Lifetime is the lifetime of a token.
const Lifetime = 24 * time.Hour

// A Config connects the endpoints to a fake. All fields are required.
type Config struct {
	Directory *directory.Directory
	// Secret is the value of X-IDENTITY-HEADER.
	Secret string
	// Token returns the identity's token for a resource. The endpoint may return the same token
	// until shortly before its expiry.
	Token func(tenant *directory.Tenant, identity *directory.ManagedIdentity, resource string) (Token, *aadsts.Error)
	// Describe writes the text of error_description for an error of Entra ID.
	Describe func(r *http.Request, problem *aadsts.Error) string
	Now      func() time.Time
	NewID    func() string
}

// A Token is a token with its times.
type Token struct {
	Value     string
	NotBefore time.Time
	Expiry    time.Time
}

// expiresIn returns the seconds until the expiry. They count down while the token is in the cache.
func (t Token) expiresIn(now time.Time) string {
	return seconds(int64(t.Expiry.Sub(now) / time.Second))
}

func seconds(n int64) string { return strconv.FormatInt(n, 10) }

type server struct{ Config }

// Handler serves IMDS and the endpoint of App Service, selected by the path. Only programs on the
// same machine get an answer, even if the fake listens at other addresses.
func Handler(config Config) http.Handler {
	s := &server{config}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Strict-Transport-Security", "X-Ms-Request-Id", "X-Ms-Ests-Server"} {
			w.Header().Del(name) // of Entra ID
		}
		isMetadata := strings.HasPrefix(r.URL.Path, "/metadata/")
		switch {
		case !isLocal(r.RemoteAddr):
			http.Error(w, "managed identity tokens are for programs on this machine", http.StatusForbidden)
		case r.Method != http.MethodGet:
			w.Header().Set("Allow", http.MethodGet)
			w.WriteHeader(http.StatusMethodNotAllowed)
		case isMetadata:
			s.metadata(w, r)
		default:
			s.appService(w, r)
		}
	})
}

func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// parameters returns the query of a request. It returns false if a parameter appears twice.
func parameters(r *http.Request) (url.Values, bool) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, false
	}
	for _, values := range query {
		if len(values) > 1 {
			return nil, false
		}
	}
	return query, true
}

// A found identity, with its tenant.
type found struct {
	tenant   *directory.Tenant
	identity *directory.ManagedIdentity
}

// find returns the identities that match a predicate.
func (s *server) find(matches func(*directory.ManagedIdentity) bool) []found {
	var all []found
	for i := range s.Directory.Tenants {
		tenant := &s.Directory.Tenants[i]
		for j := range tenant.ManagedIdentities {
			if identity := &tenant.ManagedIdentities[j]; matches(identity) {
				all = append(all, found{tenant, identity})
			}
		}
	}
	return all
}

// A selector is a parameter that names an identity, and the ID that it compares.
type selector struct {
	parameter string
	id        func(*directory.ManagedIdentity) string
}

func clientID(m *directory.ManagedIdentity) string   { return m.ID }
func resourceID(m *directory.ManagedIdentity) string { return m.ResourceID }

// pick returns the identity that a request names by one of the parameters. Without a parameter it
// returns the system-assigned identity, or the only identity (M). Named is the number of
// parameters.
func (s *server) pick(query url.Values, selectors []selector) (picked []found, named int) {
	picked = s.find(func(m *directory.ManagedIdentity) bool { return m.SystemAssigned })
	if len(picked) == 0 {
		picked = s.find(func(*directory.ManagedIdentity) bool { return true })
	}
	for _, by := range selectors {
		wanted := query.Get(by.parameter)
		if wanted == "" {
			continue
		}
		named++
		picked = s.find(func(m *directory.ManagedIdentity) bool { return strings.EqualFold(by.id(m), wanted) })
	}
	return picked, named
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // structs of strings
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
