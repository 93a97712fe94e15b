package rules

import (
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// DeclaresCAE reports whether a client can handle claims challenges. It then declares the
// capability cp1.
func DeclaresCAE(capabilities []string) bool {
	return slices.ContainsFunc(capabilities, func(name string) bool { return strings.EqualFold(name, "cp1") })
}

// ShowsCapabilities reports whether a token for a resource has the claim xms_cc. Graph shows the
// client's capabilities, and another API does if its optional claims list xms_cc.
func ShowsCapabilities(resource *directory.App, capabilities []string) bool {
	isListed := resource == &GraphApp || slices.Contains(resource.OptionalClaims.AccessToken, "xms_cc")
	return isListed && DeclaresCAE(capabilities)
}
