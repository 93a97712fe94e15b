package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// A plain is a Fault without methods.
type plain Fault

// A wire is the JSON form of a Fault. Its durations are texts in the form of Go.
type wire struct {
	plain
	Delay      string `json:"delay,omitempty"`
	RetryAfter string `json:"retryAfter,omitempty"`
}

// MarshalJSON writes durations like "1.5s". It leaves out Change.
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

// UnmarshalJSON reads durations like "1.5s", and refuses unknown members.
func (f *Fault) UnmarshalJSON(text []byte) error {
	var w wire
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&w); err != nil {
		return err
	}
	for _, member := range []struct {
		name string
		text string
		into *time.Duration
	}{{"delay", w.Delay, &w.plain.Delay}, {"retryAfter", w.RetryAfter, &w.plain.RetryAfter}} {
		if member.text == "" {
			continue
		}
		d, err := time.ParseDuration(member.text)
		if err != nil {
			return fmt.Errorf("fault: %s: want a duration such as 1.5s, got %q", member.name, member.text)
		}
		*member.into = d
	}
	*f = Fault(w.plain)
	return nil
}
