package signin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestTokenOutlivesCheck replaces a token that ends before the deadline of a check.
func TestTokenOutlivesCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		life, left, deadline time.Duration // or 0
		want                 bool
	}{
		"a new token":                    {10 * time.Minute, 10 * time.Minute, 7 * time.Minute, false},
		"half of its life is left":       {10 * time.Minute, 301 * time.Second, 7 * time.Minute, false},
		"a long check":                   {10 * time.Minute, 299 * time.Second, 7 * time.Minute, true},
		"a short check":                  {10 * time.Minute, 2 * time.Minute, time.Minute, false},
		"a check that could take longer": {10 * time.Minute, 59 * time.Second, time.Minute, true},
		"no deadline":                    {10 * time.Minute, time.Minute, 0, false},
		"no deadline, and it ends soon":  {10 * time.Minute, 30 * time.Second, 0, true},
		"an unknown life":                {0, 0, time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if test.deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.deadline)
				defer cancel()
			}
			g := &grant{issued: time.Now().Add(test.left - test.life)}
			g.answer.ExpiresIn = test.life.Seconds()
			assert.Equal(t, test.want, g.endsSoon(ctx))
		})
	}
}
