package fakeentra

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"mcpentra/fakeentra/internal/rules"
)

// A random is Config.Rand, made safe for concurrent use. A nil source means crypto/rand.
type random struct {
	mu     sync.Mutex
	source io.Reader
}

// bytes reads n bytes.
func (r *random) bytes(n int) []byte {
	bytes := make([]byte, n)
	if r.source == nil {
		_, _ = rand.Read(bytes) // crypto/rand never fails
		return bytes
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := io.ReadFull(r.source, bytes); err != nil {
		panic(fmt.Sprintf("fakeentra: Config.Rand: %v", err))
	}
	return bytes
}

// guid makes a random GUID (RFC 9562 section 5.4).
func (r *random) guid() string { return rules.GUID(r.bytes(16), 0x40) }
