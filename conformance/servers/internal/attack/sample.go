package attack

import (
	"fmt"
	"math"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/bench"
)

const (
	// SampleSize is how many IDs a check looks at.
	SampleSize = 50
	// minBits is how many bits of an ID have to vary.
	minBits = 64
	// countedBits is more than a counter or a clock changes. IDs between the two are random and
	// short.
	countedBits = 40
	// sampleTime bounds the time for all IDs.
	sampleTime = 20 * time.Second
	// smallSample is how many IDs show a counter or a clock if the time is over.
	smallSample = 16
)

// WantUnpredictable makes IDs one after the other. It wants them to differ, and in more positions
// than a counter or a clock changes. It does not detect a bad generator. If the time is over, it
// judges fewer IDs, and skips where they leave a doubt.
func WantUnpredictable(p *bench.Probe, name string, next func() (string, error)) error {
	started := time.Now()
	var outOfTime *check.Skipped
	seen := map[string]bool{}
	var positions []map[byte]bool // the bytes that each position has had
	for taken := range SampleSize {
		if time.Since(started) > sampleTime {
			outOfTime = &check.Skipped{
				Reason: fmt.Sprintf("the server made %d of %d IDs in %v", taken, SampleSize, sampleTime),
			}
			break
		}
		id, err := next()
		if err != nil {
			return err
		}
		if seen[id] {
			return p.Insecure("a new "+name+" each time", "the same one twice")
		}
		seen[id] = true
		for i := range len(id) {
			if i == len(positions) {
				positions = append(positions, map[byte]bool{})
			}
			positions[i][id[i]] = true
		}
	}
	bits := 0.0
	for _, values := range positions {
		bits += math.Log2(float64(len(values)))
	}
	isInDoubt := len(seen) < smallSample || bits >= countedBits/2
	if outOfTime != nil && isInDoubt {
		return outOfTime
	}
	if bits < minBits {
		err := p.Insecure(fmt.Sprintf("at least %d bits that change", minBits), fmt.Sprintf("%.0f", bits))
		if bits >= countedBits {
			return inputs.Graded(err, check.Policy, check.Low)
		}
		return err
	}
	return nil
}
