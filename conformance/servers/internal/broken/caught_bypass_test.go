package broken_test

import "mcpentra/conformance/servers/internal/broken"

var placeCaught = map[broken.Fault][]string{
	broken.AcceptsQueryKey:         {"server/credentials/query-names"},
	broken.StreamsWithQueryToken:   {"server/credentials/query-names"},
	broken.AcceptsSessionCookie:    {"server/credentials/cookie-names"},
	broken.AcceptsKeyHeader:        {"server/credentials/header-names"},
	broken.AcceptsBasicPassword:    {"server/credentials/scheme-names"},
	broken.AcceptsTokenInMeta:      {"server/credentials/body-names"},
	broken.AcceptsSubprotocolToken: {"server/credentials/websocket"},
	broken.OpensWebSockets:         {"server/credentials/websocket"},
}

var bypassCaught = map[broken.Fault][]string{
	broken.TrustsUserWithGroup:          {"server/bypass/identities"},
	broken.TrustsUnderscores:            {"server/bypass/identities"},
	broken.TrustsPrivateAddresses:       {"server/bypass/addresses"},
	broken.TrustsMonitors:               {"server/bypass/probes"},
	broken.TrustsInternalMark:           {"server/bypass/internal"},
	broken.TrustsDebugParameter:         {"server/bypass/internal", "server/bypass/paths"},
	broken.TrustsClientName:             {"server/bypass/callers"},
	broken.AcceptsDefaultToken:          {"server/bypass/callers"},
	broken.TrustsOriginalURL:            {"server/bypass/rewrites"},
	broken.RoutesByRewriteURL:           {"server/bypass/rewrites"},
	broken.TrustsMethodOverrideToHEAD:   {"server/bypass/overrides"},
	broken.IgnoresPathParameters:        {"server/bypass/paths"},
	broken.HasInternalEndpoint:          {"server/bypass/siblings"},
	broken.HasLegacyStream:              {"server/bypass/siblings"},
	broken.DescribesMethodsWithoutToken: {"server/bypass/messages"},
	broken.TakesAnswersWithoutToken:     {"server/bypass/messages"},
	broken.RunsBatchesWithoutToken:      {"server/bypass/batches"},
	broken.ServesOldVersionWithoutToken: {"server/bypass/versions"},
	broken.ServesPagesWithoutToken:      {"server/bypass/requests"},
	broken.ServesHTTP10WithoutToken:     {"server/bypass/protocols"},
	broken.ComparesOriginsByPrefix:      {"server/origin/lookalikes"},
	broken.ComparesOriginsBySuffix:      {"server/origin/lookalikes"},
	broken.ComparesOriginsByPattern:     {"server/origin/lookalikes"},
	broken.ComparesOriginsWithHost:      {"server/origin/lookalikes"},
	broken.NamesIssuerByForwarded:       {"server/metadata/claimed-hosts"},
	broken.NamesItselfByOriginalHost:    {"server/metadata/claimed-hosts"},
	broken.NamesIssuerByHost:            {"server/metadata/claimed-hosts"},
}
