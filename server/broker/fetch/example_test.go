package fetch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mcpentra/server/broker/fetch"
)

func Example() {
	documents := fetch.New(fetch.Config[map[string]any]{
		Hosts: fetch.Hosts{Any: true},
		Parse: func(_ string, body []byte) (document map[string]any, err error) {
			err = json.Unmarshal(body, &document)
			return document, err
		},
	})
	_, err := documents.Get(context.Background(), "https://10.0.0.1/client.json", "198.51.100.0/24")
	var problem *fetch.Error
	if errors.As(err, &problem) {
		fmt.Println(problem.Reason == fetch.Refused, problem)
	}
	// Output:
	// true want a public address, got 10.0.0.1, which is an address of a private network (RFC 1918)
}
