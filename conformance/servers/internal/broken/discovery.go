package broken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"

	"mcpentra/conformance/internal/exchange"
)

// discoveryDocument returns the issuer's document for the server. Clients read another one, so that
// a fault in theirs does not cost the server its keys.
func (s *Server) discoveryDocument() map[string]any {
	return map[string]any{"issuer": s.origin, "jwks_uri": s.origin + "/keys"}
}

func (s *Server) serveDocument(w http.ResponseWriter, r *http.Request) {
	s.issuer.mu.Lock()
	handler := s.issuer.document
	s.issuer.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	write(w, http.StatusOK, s.discoveryDocument())
}

// readDocument refreshes the address of the keys. An expired address stays in use while there is no
// other.
func (s *Server) readDocument() error {
	now := s.now()
	if s.cache.address != "" && now.Sub(s.cache.read) < documentAge {
		return nil
	}
	address, err := s.askForAddress()
	switch {
	case err == nil:
		s.cache.address = address
		s.cache.read = now
	case s.cache.address == "" || s.has(ForgetsDocuments):
		s.cache.address = ""
		s.cache.keys = nil
		return err
	}
	return nil
}

// askForAddress reads the document and checks it.
func (s *Server) askForAddress() (string, error) {
	limit := int64(maxKeySet)
	if s.has(ReadsDocumentsToTheEnd) {
		limit = 16 * maxKeySet // longer than the checks' longest document that is right at its end
	}
	text, err := s.askIssuer(s.origin+"/discovery", limit, s.has(FollowsDocumentRedirect))
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer  any    `json:"issuer"`
		Address string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return "", err
	}
	address, err := url.Parse(document.Address)
	switch {
	case err != nil:
		return "", err
	case document.Issuer != s.origin && !s.has(TrustsAnyDocument):
		return "", fmt.Errorf("want the issuer %s, got %v", s.origin, document.Issuer)
	case address.Host == "":
		return "", errors.New("no address of keys")
	case s.has(FetchesKeysInTheClear), s.origin == "http://"+address.Host:
		return document.Address, nil
	case address.Scheme != "https" || address.User != nil:
		return "", errors.New("keys in the clear")
	}
	if _, err := netip.ParseAddr(address.Hostname()); err == nil && !s.has(FetchesKeysInside) {
		return "", errors.New("keys inside a network")
	}
	return document.Address, nil
}

// askIssuer fetches a document.
func (s *Server) askIssuer(address string, limit int64, follow bool) ([]byte, error) {
	ctx := context.Background()
	if !s.has(WaitsForItsIssuer) {
		limit := issuerLimit
		if s.has(ReadsDocumentsToTheEnd) {
			limit = longDocument
		}
		within, cancel := exchange.Within(ctx, limit)
		defer cancel()
		ctx = within
	}
	client := &http.Client{Transport: (*outside)(s)}
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil || int64(len(text)) > limit || response.StatusCode != http.StatusOK {
		return nil, errors.New("no document")
	}
	return text, nil
}

// outside is the server's view of the network: its issuer, and a fixture's handler for all other
// hosts.
type outside Server

func (o *outside) RoundTrip(request *http.Request) (*http.Response, error) {
	o.issuer.mu.Lock()
	elsewhere := o.issuer.elsewhere
	o.issuer.mu.Unlock()
	if elsewhere == nil || "http://"+request.URL.Host == o.origin {
		return o.transport.RoundTrip(request)
	}
	answer := httptest.NewRecorder()
	elsewhere.ServeHTTP(answer, request)
	response := answer.Result()
	response.Request = request
	return response, nil
}
