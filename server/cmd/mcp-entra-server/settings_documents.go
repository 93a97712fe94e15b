package main

import (
	"slices"

	"mcpentra/server/broker/fetch"
)

// readDocuments reads which hosts may have client ID metadata documents.
func (s *settings) readDocuments() error {
	const key = "AUTH_CLIENT_DOCUMENTS"
	hosts := list(s.get(key))
	switch {
	case len(hosts) == 0, slices.Equal(hosts, []string{"any"}):
		return nil
	case slices.Equal(hosts, []string{"none"}):
		s.clients.Documents.Off = true
		return nil
	case slices.Contains(hosts, "any"), slices.Contains(hosts, "none"):
		return s.wrong(key, "has any or none together with other values: write one of them alone, or hosts")
	}
	if _, err := fetch.ParseHosts(hosts); err != nil {
		return s.wrong(key, "has a value that is not usable: %v", err)
	}
	s.clients.Documents.Hosts = hosts
	return nil
}
