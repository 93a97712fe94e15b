package broken_test

import "mcpentra/conformance/servers/internal/broken"

// tokenUseCaught names the checks that go red for faults in caches of tokens, in the leeway for
// clocks, and in telling tokens apart.
var tokenUseCaught = map[broken.Fault][]string{
	broken.CachesByPayload:    {"server/token/no-mixed-up-cache"},
	broken.CachesByTokenID:    {"server/token/no-mixed-up-cache"},
	broken.CachesBySignature:  {"server/token/no-mixed-up-cache"},
	broken.CachesByBeginning:  {"server/token/no-mixed-up-cache"},
	broken.CachesPastExpiry:   {"server/token/cached-expiry"},
	broken.KeepsTokens:        {"server/token/cached-expiry"},
	broken.AllowsHalfAnHour:   {"server/token/expiry-leeway", "server/stream/reopened"},
	broken.AllowsSevenMinutes: {"server/token/expiry-leeway", "server/stream/reopened"},
	broken.StartsEarly:        {"server/token/start-leeway"},
	// A minted refresh token has the same mark.
	broken.AcceptsRefreshTokens: {"server/token/refresh-token", "server/token/other-products"},
	broken.ForgetsRevocation:    {"server/token/revoked"},
}

// sessionMessagesCaught names the checks that go red for faults in messages into another user's
// session.
var sessionMessagesCaught = map[broken.Fault][]string{
	broken.TakesForeignNotifications: {"server/session/other-user-messages"},
	broken.TakesForeignResponses:     {"server/session/other-user-messages"},
}

// echoCaught names the checks that go red for faults in repeating parts of tokens.
var echoCaught = map[broken.Fault][]string{
	broken.RepeatsTokenBeginnings: {"server/answer/token-parts"},
	broken.SendsTokensInCookies:   {"server/answer/token-parts"},
	broken.RepeatsSignatures:      {"server/answer/token-parts"},
	broken.RepeatsSubjects:        {"server/answer/token-parts"},
}

// furtherCaught names the checks that go red for faults in challenges after the first.
var furtherCaught = map[broken.Fault][]string{
	broken.LeavesQuoteOpen:      {"server/challenge/further"},
	broken.RepeatsParameter:     {"server/challenge/further"},
	broken.BreaksStepUpFurther:  {"server/challenge/further"},
	broken.SendsBareSecondLines: {"server/challenge/further"},
}
