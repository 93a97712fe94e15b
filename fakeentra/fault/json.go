package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// plain is a Fault without methods.
type plain Fault

// wire is a Fault as JSON has it, with durations as Go writes them.
type wire struct {
	plain
	Delay      string `json:"delay,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty"`
}

// MarshalJSON writes durations such as "1.5s". Change is left out.
func (f Fault) MarshalJSON() ([]byte, error) {
	w := wire{plain: plain(f)}
	if f.Delay != 0 {
		w.Delay = f.Delay.String()
	}
	if f.RetryAfter != 0 {
		w.RetryAfter = f.RetryAfter.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads durations such as "1.5s", and refuses members that no fault has.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var w wire
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&w); err != nil {
		return err
	}
	for _, one := range []struct {
		name, text string
		into       *time.Duration
	}{{"delay", w.Delay, &w.plain.Delay}, {"retryAfter", w.RetryAfter, &w.plain.RetryAfter}} {
		if one.text == "" {
			continue
		}
		d, err := time.ParseDuration(one.text)
		if err != nil {
			return fmt.Errorf("fault: %s: want a duration such as 1.5s, got %q", one.name, one.text)
		}
		*one.into = d
	}
	*f = Fault(w.plain)
	return nil
}
