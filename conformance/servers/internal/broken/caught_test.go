package broken_test

import (
	"slices"
	"strings"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// caughtBy names the checks that go red for a server with a fault; all others stay green. Several
// checks go red where their rules overlap.
//
// To add a fault, name it and simulate it in this package, and add it to faults.tsv of package
// catalogue. TestChecksCatchFaults then tries it, and make broken tries it with every check.
func caughtBy() map[broken.Fault][]string {
	return caughtWhere(func(fault catalogue.Fault) bool { return fault.Group != catalogue.MissingParts })
}

// caughtAtLeastBy names some of the checks that go red for a server that lacks a whole part.
func caughtAtLeastBy() map[broken.Fault][]string { return caught(catalogue.MissingParts) }

// caught is caughtBy for some groups of faults.
func caught(groups ...string) map[broken.Fault][]string {
	return caughtWhere(func(fault catalogue.Fault) bool { return slices.Contains(groups, fault.Group) })
}

func caughtWhere(isWanted func(catalogue.Fault) bool) map[broken.Fault][]string {
	found := map[broken.Fault][]string{}
	for _, fault := range catalogue.Faults(catalogue.Server) {
		if isWanted(fault) {
			found[broken.Fault(fault.Sentence)] = fault.Checks
		}
	}
	return found
}

// areUnrelated reports whether a fault and a check have nothing in common, so that they are not
// tried together. Faults in the content of tokens, in following keys, and all others are three
// groups. A server that a flood closes, or that ends the sessions of others, is tried with the
// checks of its fault only: it would spoil all others at the same time.
func areUnrelated(fault broken.Fault, current bench.Check) bool {
	switch fault {
	case broken.RefusesAllUnderFlood, broken.SessionsPushOutOthers, broken.RefusesManyConnections:
		return true
	}
	isAbout := func(groups ...string) bool {
		_, ok := caught(groups...)[fault]
		return ok
	}
	isKeyCheck := strings.HasPrefix(current.ID, "server/keys/")
	if isKeyCheck != isAbout("key") {
		return true
	}
	if isAbout("token") {
		return false // these faults affect all requests
	}
	isTokenCheck := strings.HasPrefix(current.ID, "server/token/")
	return isTokenCheck != isAbout("jws", "claim")
}
