package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"mcpentra/server/broker"
	"mcpentra/server/loopback"
)

// MinSecret is the least length of the bearer secret, in bytes. A secret in base64 then has at
// least 128 bits.
const MinSecret = 22

// A Config configures the API. Broker and Secret are required.
type Config struct {
	// Broker has the grants.
	Broker *broker.Broker
	// Secret returns the bearer secret. The API asks for it at each request, so it can change while
	// the server runs. After an error, the API answers 503.
	Secret func() (string, error)
	// Hosts are the names, without ports, by which programs reach the API. IP addresses and the
	// names of loopback always count.
	Hosts []string
	// Logger records every change and every refusal, never the secret. Nil discards.
	Logger *slog.Logger
}

// A handler is the API. It is safe for concurrent use.
type handler struct {
	config Config
	log    *slog.Logger
	mux    *http.ServeMux
}

// New makes the API.
func New(config Config) (http.Handler, error) {
	if config.Broker == nil || config.Secret == nil {
		return nil, errors.New("admin: Broker and Secret are required")
	}
	h := &handler{config: config, log: config.Logger, mux: http.NewServeMux()}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.mux.HandleFunc("GET /grants", h.list)
	h.mux.HandleFunc("GET /grants/{id}", h.show)
	h.mux.HandleFunc("DELETE /grants/{id}", h.end)
	h.mux.HandleFunc("DELETE /grants", h.endSelected)
	h.mux.HandleFunc("/", h.unknown)
	return h, nil
}

// ServeHTTP checks that a request comes from an administrator's program, and answers it.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch {
	case !h.isOwnHost(r.Host):
		why := "the Host of the request is not a name of this API"
		h.refuse(w, r, http.StatusMisdirectedRequest, why, "MCP_ADMIN_ADDR")
	case r.Header.Values("Origin") != nil, r.Header.Get("Sec-Fetch-Site") != "":
		h.refuse(w, r, http.StatusForbidden, "a browser sent the request, and this API is for programs only", "")
	default:
		h.authorize(w, r)
	}
}

func (h *handler) authorize(w http.ResponseWriter, r *http.Request) {
	want, err := h.config.Secret()
	if err != nil {
		h.log.ErrorContext(r.Context(), "the secret of the admin API cannot be read", "error", err)
		h.answerError(w, http.StatusServiceUnavailable, "the secret of this API cannot be read; its log says why")
		return
	}
	lines := r.Header.Values("Authorization")
	scheme, secret, _ := strings.Cut(strings.Join(lines, ","), " ")
	isBearer := len(lines) == 1 && strings.EqualFold(scheme, "Bearer")
	if !isBearer || !same(want, strings.TrimSpace(secret)) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mcp-entra-server admin"`)
		h.refuse(w, r, http.StatusUnauthorized, "the bearer secret is missing or wrong", "MCP_ADMIN_SECRET_FILE")
		return
	}
	h.mux.ServeHTTP(w, r)
}

// same compares two secrets in constant time. An empty or short secret never counts.
func same(want, got string) bool {
	wanted := sha256.Sum256([]byte(want))
	presented := sha256.Sum256([]byte(got))
	return len(want) >= MinSecret && subtle.ConstantTimeCompare(wanted[:], presented[:]) == 1
}

// isOwnHost reports whether a Host header names this API. A page of another site that has pointed
// its own name here sends that name, and never an IP address.
func (h *handler) isOwnHost(host string) bool {
	name := host
	if split, _, err := net.SplitHostPort(host); err == nil {
		name = split
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	_, err := netip.ParseAddr(name)
	return err == nil || loopback.IsName(name) || slices.Contains(h.config.Hosts, name)
}

// refuse answers a request that no administrator may have sent, and logs it.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, status int, why, setting string) {
	attributes := []any{
		"path", clip(r.URL.Path),
		"status", status,
		"reason", why,
		"address", r.RemoteAddr,
		"host", clip(r.Host),
		"origin", clip(r.Header.Get("Origin")),
	}
	if setting != "" {
		attributes = append(attributes, "setting", setting)
	}
	h.log.WarnContext(r.Context(), "admin API refused", attributes...)
	h.answerError(w, status, why)
}

// clip bounds a caller's text in a log line.
func clip(text string) string {
	const most = 200 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (h *handler) answerError(w http.ResponseWriter, status int, why string) {
	h.answer(w, status, map[string]string{"error": why})
}

func (h *handler) answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value)
}

func (h *handler) unknown(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/grants" || strings.HasPrefix(r.URL.Path, "/grants/") {
		w.Header().Set("Allow", "GET, DELETE")
		h.answerError(w, http.StatusMethodNotAllowed, "want GET or DELETE, got "+clip(r.Method))
		return
	}
	h.answerError(w, http.StatusNotFound, "want /grants or /grants/{id}")
}
