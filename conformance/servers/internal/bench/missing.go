package bench

import "slices"

// Missing returns the kinds of tokens and the needs of a check that the target does not supply.
func (t *Target) Missing(c *Check) (tokens []TokenKind, needs []Need) {
	for _, kind := range c.Tokens {
		if t.Tokens[kind] == nil {
			tokens = append(tokens, kind)
		}
	}
	needs = slices.DeleteFunc(slices.Clone(c.Needs), t.meets)
	return tokens, needs
}
