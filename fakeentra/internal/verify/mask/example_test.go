package mask_test

import (
	"fmt"
	"net/http"
	"net/url"

	"mcpentra/fakeentra/internal/verify/mask"
)

func ExampleMasker_Exchange() {
	masker := mask.Masker{Authority: "https://login.microsoftonline.com"}
	exchange := masker.Exchange(mask.Raw{
		Method: http.MethodPost,
		URL: &url.URL{
			Scheme: "https",
			Host:   "login.microsoftonline.com",
			Path:   "/5a1e0001-0000-4000-8000-000000000001/oauth2/v2.0/token",
		},
		RequestHeader: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		RequestBody:   []byte("grant_type=client_credentials&client_secret=hunter2"),
		Status:        http.StatusBadRequest,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          []byte(`{"error_description":"Tenant '5a1e0001-0000-4000-8000-000000000001' not found."}`),
	})
	fmt.Println(exchange.URL)
	fmt.Println(exchange.Form)
	fmt.Println(exchange.Body.Member("error_description").Text)
	// Output:
	// {authority}/[guid path]/oauth2/v2.0/token
	// [{client_secret [secret form client_secret]} {grant_type client_credentials}]
	// Tenant '[guid path]' not found.
}
