package document_test

import (
	"fmt"

	"mcpentra/fakeentra/internal/verify/document"
)

func ExampleParse() {
	value, err := document.Parse([]byte(`{"token_type":"Bearer","expires_in":3599}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(value.Names(), value.Member("expires_in").Kind)
	// Output: [token_type expires_in] number
}
