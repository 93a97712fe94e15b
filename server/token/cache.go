package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
)

// DefaultCacheSize is the default number of tokens that a [Cache] remembers.
const DefaultCacheSize = 10_000

// A Cache remembers verified tokens, and skips their parsing and cryptography the next time. A
// token with one byte changed is another token: the cache compares the signed part itself, and the
// signature by its SHA-256, so that the cache holds no usable token. It remembers no bad tokens. An
// entry counts only while a verification would still succeed: each use compares the times with the
// clock, and checks that the key is still among the verifier's keys. A full cache drops the least
// recently used token.
type Cache[T any] struct {
	verify  func(ctx context.Context, raw string) (*Claims, error)
	read    func(*Claims) (T, error)
	entries *lru.Cache[[sha256.Size]byte, *remembered[T]]
}

type remembered[T any] struct {
	signed string // the token without its signature
	claims *Claims
	value  T
}

// NewCache makes a cache in front of verify, the method of a [Verifier] or of [Issuers]. The cache
// returns the result of read many times, so callers must not change it. A size of 0 means
// [DefaultCacheSize]; a negative size remembers nothing.
func NewCache[T any](
	size int,
	verify func(context.Context, string) (*Claims, error),
	read func(*Claims) (T, error),
) *Cache[T] {
	c := &Cache[T]{verify: verify, read: read}
	if size == 0 {
		size = DefaultCacheSize
	}
	if size > 0 {
		c.entries, _ = lru.New[[sha256.Size]byte, *remembered[T]](size) // only a size below 1 is refused
	}
	return c
}

// Verify verifies a token. It returns the errors of verify and read. As with [Verifier.Verify], the
// reason [Expired] means that nothing else is wrong, and Verify then returns the value together
// with the error, unless the keys cannot be fetched.
func (c *Cache[T]) Verify(ctx context.Context, raw string) (T, error) {
	var none T
	if c.entries == nil {
		_, value, err := c.judge(ctx, raw)
		return value, err
	}
	if len(raw) > maxToken {
		return none, &InvalidError{Reason: Oversized}
	}
	dot := strings.LastIndexByte(raw, '.') + 1
	signed := raw[:dot]
	name := hashOf(raw[dot:])
	if entry, found := c.entries.Get(name); found && entry.signed == signed {
		switch err := entry.claims.stillGood(ctx); {
		case err == nil:
			return entry.value, nil
		case errors.Is(err, errOtherKey):
			c.entries.Remove(name) // judge verifies it again
		default:
			var invalid *InvalidError
			if errors.As(err, &invalid) {
				c.entries.Remove(name)
			}
			if isExpired(err) {
				return entry.value, err
			}
			return none, err
		}
	}
	claims, value, err := c.judge(ctx, raw)
	if err == nil && claims.verifier != nil {
		kept := *claims
		kept.payload = nil // read has decoded it
		// A substring would keep the whole token in memory.
		c.entries.Add(name, &remembered[T]{signed: strings.Clone(signed), claims: &kept, value: value})
	}
	return value, err
}

// judge verifies and reads a token that is not remembered. An error of read comes before expiry.
func (c *Cache[T]) judge(ctx context.Context, raw string) (*Claims, T, error) {
	var none T
	claims, err := c.verify(ctx, raw)
	if err != nil && (claims == nil || !isExpired(err)) {
		return nil, none, err
	}
	value, unreadable := c.read(claims)
	if unreadable != nil {
		return nil, none, unreadable
	}
	return claims, value, err
}

// hashOf returns the SHA-256 of a text. It copies texts of a signature's length to the stack.
func hashOf(text string) [sha256.Size]byte {
	var ordinary [512]byte
	if len(text) > len(ordinary) {
		return sha256.Sum256([]byte(text))
	}
	return sha256.Sum256(ordinary[:copy(ordinary[:], text)])
}

// Len returns the number of remembered tokens.
func (c *Cache[T]) Len() int {
	if c.entries == nil {
		return 0
	}
	return c.entries.Len()
}

// errOtherKey means that the key ID now names another key.
var errOtherKey = errors.New("the key has changed")

// stillGood checks again what can change about a verified token: the time, and its key. It checks
// the expiry last.
func (c *Claims) stillGood(ctx context.Context) error {
	if invalid := c.verifier.judgeTimes(c); invalid != nil {
		return invalid
	}
	expired := c.verifier.judgeExpiry(c)
	keys, err := c.verifier.Keys(ctx, c.KeyID, c.IssuedAt)
	if err != nil {
		err = keyError(ctx, err)
		var unavailable *UnavailableError
		if expired != nil && errors.As(err, &unavailable) {
			return expired
		}
		return err
	}
	if !slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool { return sameKey(c.key, key) }) {
		return errOtherKey
	}
	if expired != nil {
		return expired
	}
	return nil
}

// isExpired reports whether the token is expired and otherwise good.
func isExpired(err error) bool {
	var invalid *InvalidError
	return errors.As(err, &invalid) && invalid.Reason == Expired
}

// sameKey compares public keys.
func sameKey(verified any, published jose.JSONWebKey) bool {
	switch key := verified.(type) {
	case *rsa.PublicKey:
		// Until the keys are fetched again, the pointers are equal.
		if other, ok := published.Key.(*rsa.PublicKey); ok && key == other {
			return true
		}
	case *ecdsa.PublicKey:
		if other, ok := published.Key.(*ecdsa.PublicKey); ok && key == other {
			return true
		}
	}
	key, ok := verified.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(published.Key)
}
