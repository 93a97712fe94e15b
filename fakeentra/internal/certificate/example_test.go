package certificate_test

import (
	"fmt"
	"time"

	"mcpentra/fakeentra/internal/certificate"
)

func ExampleNew() {
	made, ca, err := certificate.New(time.Now(), "https://fake.example")
	fmt.Println(len(made.Certificate), ca.IsCA, err)
	// Output: 2 true <nil>
}
