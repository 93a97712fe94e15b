package journal_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/journal"
)

// A secret is a number, the same wherever it stands.
func Example() {
	j := journal.New()
	j.Add(journal.Exchange{
		Time:     time.Unix(0, 0),
		Endpoint: endpoint.Authorize,
		Status:   302,
		Request: httptest.NewRequest(
			http.MethodGet,
			"https://login.microsoftonline.com/t/oauth2/v2.0/authorize?client_id=c&state=s",
			nil,
		),
		Header: http.Header{"Location": {"http://localhost/?code=1.Ab&state=s"}},
	})
	j.Add(journal.Exchange{
		Time:     time.Unix(1, 0),
		Endpoint: endpoint.Token,
		Status:   200,
		Request:  httptest.NewRequest(http.MethodPost, "https://login.microsoftonline.com/t/oauth2/v2.0/token", nil),
		Form:     url.Values{"code": {"1.Ab"}, "client_secret": {"hidden"}},
		Header:   http.Header{"Content-Type": {"application/json"}},
		Body:     []byte(`{"token_type":"Bearer","access_token":"ey.J.0"}`),
	})
	fmt.Print(j)
	// Output:
	// 1 GET login.microsoftonline.com/t/oauth2/v2.0/authorize
	//   client_id=c
	//   state=s
	// = 302
	//   to http://localhost/?code=[code 1]&state=s
	// 2 POST login.microsoftonline.com/t/oauth2/v2.0/token
	//   client_secret=[client_secret 1]
	//   code=[code 1]
	// = 200
	//   {"token_type":"Bearer","access_token":"[access_token 1]"}
}
