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

// DefaultCacheSize is how many tokens a [Cache] remembers where nobody says otherwise.
const DefaultCacheSize = 10_000

// A Cache spares tokens that were verified before the parsing and the cryptography. It remembers
// what was read from them. A token with one byte changed is another token: what is signed is
// compared as it is, and the signature, which makes a token of it that somebody could use, by its
// SHA-256. Of bad tokens it remembers nothing. What is remembered counts only while a verification
// would still succeed: each use compares the times with the clock, and asks the verifier's keys
// whether the key that was believed is still there. When it is full, the token that was not used
// for longest goes.
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

// NewCache makes a cache in front of verify, which is a [Verifier]'s or [Issuers]' method. What
// read makes of the claims is handed out many times, so nobody may change it. A size of 0 means
// [DefaultCacheSize]; a negative one remembers nothing.
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

// Verify judges a token. The errors are those of verify and read. As with [Verifier.Verify], the
// reason [Expired] means that nothing else is wrong, and then the value comes with the error,
// unless the keys cannot be fetched.
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
	if held, found := c.entries.Get(name); found && held.signed == signed {
		switch err := held.claims.stillGood(ctx); {
		case err == nil:
			return held.value, nil
		case errors.Is(err, errOtherKey):
			c.entries.Remove(name) // and judged anew
		default:
			var invalid *InvalidError
			if errors.As(err, &invalid) {
				c.entries.Remove(name)
			}
			if isExpired(err) {
				return held.value, err
			}
			return none, err
		}
	}
	claims, value, err := c.judge(ctx, raw)
	if err == nil && claims.verifier != nil {
		kept := *claims
		kept.payload = nil // it has been read
		c.entries.Add(
			name,
			&remembered[T]{signed: strings.Clone(signed), claims: &kept, value: value},
		) // a part would keep the whole
	}
	return value, err
}

// judge verifies and reads a token that is not remembered. A fault that read finds comes before
// age.
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

// hashOf is the SHA-256 of a text. One of the length of signatures is hashed on the stack.
func hashOf(text string) [sha256.Size]byte {
	var ordinary [512]byte
	if len(text) > len(ordinary) {
		return sha256.Sum256([]byte(text))
	}
	return sha256.Sum256(ordinary[:copy(ordinary[:], text)])
}

// Len is how many tokens are remembered.
func (c *Cache[T]) Len() int {
	if c.entries == nil {
		return 0
	}
	return c.entries.Len()
}

// errOtherKey means that the key id stands for another key now.
var errOtherKey = errors.New("the key has changed")

// stillGood asks again what can change about a verified token: the time, and its key. Age is judged
// last.
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

// isExpired reports whether age is all that is wrong.
func isExpired(err error) bool {
	var invalid *InvalidError
	return errors.As(err, &invalid) && invalid.Reason == Expired
}

// sameKey compares public keys, whose types all know how to.
func sameKey(believed any, published jose.JSONWebKey) bool {
	switch key := believed.(type) {
	case *rsa.PublicKey:
		// Until the keys are fetched again, it is the very same.
		if other, same := published.Key.(*rsa.PublicKey); same && key == other {
			return true
		}
	case *ecdsa.PublicKey:
		if other, same := published.Key.(*ecdsa.PublicKey); same && key == other {
			return true
		}
	}
	key, compares := believed.(interface{ Equal(crypto.PublicKey) bool })
	return compares && key.Equal(published.Key)
}
