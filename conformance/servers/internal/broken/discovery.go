package broken

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
)

// discoveryDocument is what the issuer says of itself to the server. It is not where clients look,
// so that what is wrong with their documents does not cost the server its keys.
func (t *Server) discoveryDocument() map[string]any {
	return map[string]any{"issuer": t.origin, "jwks_uri": t.origin + "/keys"}
}

func (t *Server) serveDocument(w http.ResponseWriter, r *http.Request) {
	t.issuer.mu.Lock()
	handler := t.issuer.document
	t.issuer.mu.Unlock()
	if handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	write(w, http.StatusOK, t.discoveryDocument())
}

// readDocument sees to it that there is an address of keys that is not too old. One that is stays
// in use while there is no other.
func (t *Server) readDocument() error {
	now := t.now()
	if t.cache.address != "" && now.Sub(t.cache.read) < documentAge {
		return nil
	}
	address, err := t.askForAddress()
	switch {
	case err == nil:
		t.cache.address = address
		t.cache.read = now
	case t.cache.address == "" || t.has(ForgetsDocuments):
		t.cache.address = ""
		t.cache.keys = nil
		return err
	}
	return nil
}

// askForAddress reads the document and judges it.
func (t *Server) askForAddress() (string, error) {
	limit := int64(maxKeySet)
	if t.has(ReadsDocumentsToTheEnd) {
		limit = 16 * maxKeySet // longer than the checks' longest document that is right at its end
	}
	text, err := t.askIssuer(t.origin+"/discovery", limit, t.has(FollowsDocumentRedirect))
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
	case document.Issuer != t.origin && !t.has(BelievesAnyDocument):
		return "", fmt.Errorf("want the issuer %s, got %v", t.origin, document.Issuer)
	case address.Host == "":
		return "", errors.New("no address of keys")
	case t.has(FetchesKeysInTheClear), t.origin == "http://"+address.Host:
		return document.Address, nil
	case address.Scheme != "https" || address.User != nil:
		return "", errors.New("keys in the clear")
	}
	if _, err := netip.ParseAddr(address.Hostname()); err == nil && !t.has(FetchesKeysInside) {
		return "", errors.New("keys inside a network")
	}
	return document.Address, nil
}

// askIssuer gets a document.
func (t *Server) askIssuer(address string, limit int64, follow bool) ([]byte, error) {
	client := &http.Client{Timeout: issuerLimit, Transport: (*network)(t)}
	if t.has(WaitsForItsIssuer) {
		client.Timeout = 0
	}
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	response, err := client.Get(address)
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

// network is what a server reaches of others: its issuer, and whoever a fixture lets answer in
// place of everybody else.
type network Server

func (n *network) RoundTrip(request *http.Request) (*http.Response, error) {
	n.issuer.mu.Lock()
	elsewhere := n.issuer.elsewhere
	n.issuer.mu.Unlock()
	if elsewhere == nil || "http://"+request.URL.Host == n.origin {
		return n.transport.RoundTrip(request)
	}
	answer := httptest.NewRecorder()
	elsewhere.ServeHTTP(answer, request)
	response := answer.Result()
	response.Request = request
	return response, nil
}
