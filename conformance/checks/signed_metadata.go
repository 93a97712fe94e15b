package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"mcpentra/conformance/engine"
)

// everything matches names of scopes that mean everything.
var everything = regexp.MustCompile(`(?i)^(\*|all|full|everything|root|superuser|full[-_.:]?access|(.*[.:/])?\*)$`)

// signedMetadata looks at the member signed_metadata, where there is one. Whose key has signed it is for whoever believes its issuer.
func signedMetadata(ctx context.Context, p *engine.Probe) error {
	document, answer, err := findMetadata(ctx, p)
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
		return &engine.NotApplicable{Reason: "its metadata is not signed"}
	}
	signed, err := examine(*plain.Signed)
	if err != nil {
		return p.Mismatch("a JWT in signed_metadata", "something else")
	}
	_, nested := signed.claims["signed_metadata"]
	switch {
	case text(signed.header, "alg") == "" || text(signed.header, "alg") == "none":
		return p.Insecure("signed metadata with a signature", fmt.Sprintf("the algorithm %q", text(signed.header, "alg")))
	case text(signed.claims, "iss") == "":
		return p.Mismatch("iss in the signed metadata", "none")
	case nested:
		return p.Lesser(engine.Should, "no signed metadata in the signed metadata", "some")
	case text(signed.claims, "resource") != document.Resource:
		return p.Lesser(engine.Should, "the resource "+document.Resource+" in the signed metadata too", fmt.Sprintf("%q", text(signed.claims, "resource")))
	}
	return nil
}
