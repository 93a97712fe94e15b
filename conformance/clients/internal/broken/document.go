package broken

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
)

// documentURL is the URL of the client ID metadata document.
const documentURL = "https://client.example.com/client.json"

// document returns the client ID metadata document.
func (c *faultyClient) document() []byte {
	document := map[string]any{
		"client_id":                  documentURL,
		"client_name":                "broken client",
		"redirect_uris":              []string{"http://127.0.0.1/callback"},
		"grant_types":                []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_method": "none",
	}
	switch {
	case c.has(NamesAnotherDocument):
		document["client_id"] = "https://another.example.com/client.json"
	case c.has(LeavesOutRedirects):
		delete(document, "redirect_uris")
	case c.has(PublishesSecret):
		document["client_secret"] = "a-secret"
		document["token_endpoint_auth_method"] = "client_secret_post"
	case c.has(UsesForeignRedirect):
		document["redirect_uris"] = []string{foreignRedirect}
	case c.has(HasDocumentAtRoot):
		document["client_id"] = documentAtRoot
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return text
}

// hosting is a transport to the host of the document.
type hosting struct{ client *faultyClient }

func (h hosting) RoundTrip(request *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	switch {
	case request.URL.String() != documentURL && !h.client.has(HasDocumentAtRoot), h.client.has(ServesNoDocument):
		http.NotFound(answer, request)
	case h.client.has(ServesPageForDocument):
		answer.Header().Set("Content-Type", "text/html")
		_, _ = answer.WriteString("<p>The document")
	case h.client.has(MovesDocument):
		http.Redirect(answer, request, "https://client.example.com/moved.json", http.StatusFound)
	default:
		answer.Header().Set("Content-Type", "application/json")
		_, _ = answer.Write(h.client.document())
	}
	response := answer.Result()
	response.Request = request
	return response, nil
}

// documentAtRoot is a URL that no document may have.
const documentAtRoot = "https://client.example.com"
