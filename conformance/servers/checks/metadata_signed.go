package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// everything matches names of scopes that mean everything.
var everything = regexp.MustCompile(`(?i)^(\*|all|full|everything|root|superuser|full[-_.:]?access|(.*[.:/])?\*)$`)

// signedMetadata looks at the member signed_metadata, where there is one. Whose key has signed it
// is for whoever believes its issuer.
func signedMetadata(ctx context.Context, p *bench.Probe) error {
	document, answer, err := attack.FindMetadata(ctx, p)
	if err != nil {
		return err
	}
	var plain struct {
		Signed *string `json:"signed_metadata"`
	}
	if err := json.Unmarshal(answer.Body, &plain); err != nil {
		return p.Mismatch("a text in signed_metadata", err.Error())
	}
	if plain.Signed == nil {
		return &check.NotApplicable{Reason: "its metadata is not signed"}
	}
	signed, err := attack.Examine(*plain.Signed)
	if err != nil {
		return p.Mismatch("a JWT in signed_metadata", "something else")
	}
	_, nested := signed.Claims["signed_metadata"]
	switch {
	case attack.Text(signed.Header, "alg") == "" || attack.Text(signed.Header, "alg") == "none":
		return p.Insecure(
			"signed metadata with a signature",
			fmt.Sprintf("the algorithm %q", attack.Text(signed.Header, "alg")),
		)
	case attack.Text(signed.Claims, "iss") == "":
		return p.Mismatch("iss in the signed metadata", "none")
	case nested:
		return p.MismatchAt(check.Should, "no signed metadata in the signed metadata", "some")
	case attack.Text(signed.Claims, "resource") != document.Resource:
		return p.MismatchAt(
			check.Should,
			"the resource "+document.Resource+" in the signed metadata too",
			fmt.Sprintf("%q", attack.Text(signed.Claims, "resource")),
		)
	}
	return nil
}
