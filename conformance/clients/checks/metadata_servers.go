package checks

import (
	"errors"
	"fmt"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// metadataServersChecks are checks of client/metadata: several authorization servers.
func metadataServersChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/metadata/several-servers",
				Level:     check.Policy,
				Severity:  check.Medium,
				Revisions: since20250618,
				Reference: "RFC 9728 section 7.6; MCP authorization, Authorization Server Location",
				Sentence: "When the metadata lists no authorization server, one that is unreachable or 50, the " +
					"client signs in at one at most, and ends.",
				Covers: []string{"CL-005"},
			},
			Run: ifItEnds(noHarm(
				lab.Script{},
				fetchedMetadata,
				usedSeveral,
				variant{"50 authorization servers", manyServers()},
				variant{"no authorization server", lab.Script{Resource: listServers()}},
				variant{"an unreachable authorization server", lab.Script{Resource: listServers(unreachable)}},
				variant{
					"an unreachable authorization server before another",
					lab.Script{Resource: listServers(unreachable, "")},
				},
			)),
		},
	}
}

// unreachable is an address on loopback where nothing listens.
const unreachable = "http://127.0.0.1:1"

// listServers lists authorization servers in the metadata. An empty string is the right server.
func listServers(servers ...string) func(*lab.Lab, string, map[string]any) {
	return func(l *lab.Lab, _ string, document map[string]any) {
		listed := []string{}
		for _, server := range servers {
			if server == "" {
				server = l.IssuerID(lab.Issuer)
			}
			listed = append(listed, server)
		}
		document["authorization_servers"] = listed
	}
}

// serverCount is the number of authorization servers in a long list.
const serverCount = 50

// manyServers is a lab with many authorization servers. All have good metadata and share their
// endpoints.
func manyServers() lab.Script {
	var paths, at []string
	for i := range serverCount {
		path := fmt.Sprintf("/tenant%d", i+1)
		paths = append(paths, path)
		at = append(at, issuerOAuth+path)
	}
	return lab.Script{
		IssuerAt: at,
		Resource: func(l *lab.Lab, _ string, document map[string]any) {
			var listed []string
			for _, path := range paths {
				listed = append(listed, l.Origin(lab.Issuer)+path)
			}
			document["authorization_servers"] = listed
		},
		Metadata: func(l *lab.Lab, party lab.Party, at string, document map[string]any) {
			document["issuer"] = l.Origin(party) + strings.TrimPrefix(at, issuerOAuth)
			delete(document, "authorization_response_iss_parameter_supported")
		},
		Answers: withoutIss,
	}
}

// usedSeveral reports a run that had to be cancelled, or more registrations or authorization
// requests than one sign-in explains.
func usedSeveral(l *lab.Lab) string {
	registrations := len(l.Registrations(lab.Issuer))
	pages := len(l.Authorizations(lab.Issuer))
	switch {
	case registrations > maxTries*attempts(l):
		return fmt.Sprintf("%d registrations", registrations)
	case pages > maxTries*attempts(l):
		return fmt.Sprintf("%d authorization requests", pages)
	case errors.Is(l.Err(), lab.ErrTimeUp):
		return "the run had to be cancelled"
	}
	return ""
}
