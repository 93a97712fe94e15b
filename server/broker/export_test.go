package broker

import "context"

// MaintainOnce does the work of Maintain once.
func (b *Broker) MaintainOnce(ctx context.Context) error { return b.maintain(ctx) }
