package broker

import (
	"context"
	"errors"
)

// MaintainOnce does the work of Maintain once.
func (b *Broker) MaintainOnce(ctx context.Context) error {
	return errors.Join(b.tidySigningKeys(ctx), b.maintain(ctx))
}
