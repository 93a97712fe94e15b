package twins

import "encoding/json"

// documentURL is where the twin's client ID metadata document would stand.
const documentURL = "https://client.example.com/twin.json"

// document is what would stand there.
func (c *clientTwin) document() []byte {
	document := map[string]any{
		"client_id": documentURL, "client_name": "twin", "redirect_uris": []string{"http://127.0.0.1/callback"}, "grant_types": []string{"authorization_code", "refresh_token"},
		"token_endpoint_auth_method": "none",
	}
	switch {
	case c.has(NamesAnotherDocument):
		document["client_id"] = "https://another.example.com/twin.json"
	case c.has(LeavesOutRedirects):
		delete(document, "redirect_uris")
	case c.has(PublishesSecret):
		document["client_secret"], document["token_endpoint_auth_method"] = "a-secret", "client_secret_post"
	case c.has(UsesForeignRedirect):
		document["redirect_uris"] = []string{foreignRedirect}
	case c.has(HasDocumentAtRoot):
		document["client_id"] = documentAtRoot
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return text
}

// documentAtRoot is where no such document may stand.
const documentAtRoot = "https://client.example.com"
