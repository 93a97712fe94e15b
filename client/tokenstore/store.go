package tokenstore

import "context"

// A Key identifies a record: the URL of an MCP server, and one of the user's accounts there. The
// user chooses the account's name; it is empty for the only account.
type Key struct {
	Resource string `json:"resource"`
	Account  string `json:"account,omitempty"`
}

// A Store keeps records. It is safe for concurrent use. When Save returns, the record is stored.
type Store interface {
	// Load returns the record of a key. The record is empty if the store has none.
	Load(ctx context.Context, key Key) (Record, error)
	// Save replaces the record of a key. To change a record, hold the key's lock from before Load
	// until after Save.
	Save(ctx context.Context, key Key, record Record) error
	// Keys lists the keys that have a record, in no order.
	Keys(ctx context.Context) ([]Key, error)
	// Lock waits until no other caller holds the lock of a key, in any process that uses the same
	// store.
	Lock(ctx context.Context, key Key) (unlock func(), err error)
}
