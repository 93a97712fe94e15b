package broken

import "strings"

// Faults in caches of verified tokens. The keys of a cache leave out a part of the token.
const (
	CachesByPayload   Fault = "caches tokens by their payload"
	CachesByTokenID   Fault = "caches tokens by their jti"
	CachesBySignature Fault = "caches tokens by their signature"
	CachesByBeginning Fault = "caches tokens by their first 320 bytes"
	CachesPastExpiry  Fault = "serves a cached token after it has expired"
	KeepsTokens       Fault = "keeps the verified token of a session after it has expired"
)

// Faults in the leeway for clocks.
const (
	AllowsHalfAnHour   Fault = "accepts a token for half an hour after it has expired"
	AllowsSevenMinutes Fault = "accepts a token for seven minutes after it has expired"
	StartsEarly        Fault = "accepts a token a quarter of an hour before it starts"
)

// cacheThreshold is how often a token must be good before a broken server caches it. So its other
// faults do not show in checks that use a token a few times.
const cacheThreshold = 6

// remember counts a good token.
func (s *Server) remember(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[s.cacheKey(raw)]++
}

// isCached reports whether a token with the same key was good several times.
func (s *Server) isCached(raw string) bool {
	key := s.cacheKey(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	return key != "" && s.seen[key] > cacheThreshold
}

// cacheKey returns the key of a token in the cache, or "" if the server has no cache.
func (s *Server) cacheKey(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	switch {
	case s.has(CachesByPayload):
		return parts[1]
	case s.has(CachesByTokenID):
		token, _ := s.parse(raw)
		if token == nil {
			return ""
		}
		id, _ := token.claims["jti"].(string)
		return id
	case s.has(CachesBySignature):
		return parts[2]
	case s.has(CachesByBeginning):
		return raw[:min(len(raw), 320)]
	case s.has(CachesPastExpiry):
		return raw
	}
	return ""
}

// expiryLeeway returns how many seconds after its expiry time a token is accepted.
func (s *Server) expiryLeeway() float64 {
	switch {
	case s.has(AllowsHalfAnHour):
		return 30 * 60
	case s.has(AllowsSevenMinutes):
		return 7 * 60
	case s.has(ForgivesSignatures):
		return 60
	}
	return 0
}

// startLeeway returns how many seconds before its start time a token is accepted.
func (s *Server) startLeeway() float64 {
	if s.has(StartsEarly) {
		return 15 * 60
	}
	return 0
}
