package fault

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/fakeentra/endpoint"
)

// maxFaults bounds the faults of a script, used ones included.
const maxFaults = 1000

// A Call holds the properties of a request that a fault can select.
type Call struct {
	Endpoint endpoint.Name
	Client   string // application ID
	Grant    string // grant_type
	Path     string
	// Batched marks a request inside a batch of Graph. Only faults with a path select it.
	Batched bool
}

// A Script is a list of faults, with counts of their use. Its zero value is empty. It is safe for
// concurrent use.
type Script struct {
	mu    sync.Mutex
	steps []*step
	chaos Chaos
	dice  *rand.Rand
}

// A step is a fault of a script.
type step struct {
	fault   Fault
	matched int
	applied int
}

// Progress says how many requests got a fault.
type Progress struct {
	Fault   Fault `json:"fault"`
	Applied int   `json:"applied"`
}

// Add appends faults. If one fault has a mistake, it appends none.
func (s *Script) Add(faults ...Fault) error { return s.put(false, faults) }

// Replace removes all faults and adds new ones. Chaos continues. If one fault has a mistake, the
// script stays as it is.
func (s *Script) Replace(faults ...Fault) error { return s.put(true, faults) }

func (s *Script) put(replace bool, faults []Fault) error {
	for i := range faults {
		if err := faults[i].Check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.steps
	if replace {
		kept = nil
	}
	if len(kept)+len(faults) > maxFaults {
		return fmt.Errorf("fault: want at most %d faults in a script, got %d", maxFaults, len(kept)+len(faults))
	}
	s.steps = kept
	for _, added := range faults {
		s.steps = append(s.steps, &step{fault: added})
	}
	return nil
}

// Match returns the fault for a call, or nil. It is the first matching fault of the script that is
// not used up, or else a fault of chaos. Each matching fault counts the call, even if an earlier
// one applies.
func (s *Script) Match(call Call) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *step
	for _, candidate := range s.steps {
		if !candidate.fault.matches(call) {
			continue
		}
		candidate.matched++
		if found == nil && candidate.matched >= candidate.fault.Nth && candidate.isLeft() {
			found = candidate
		}
	}
	if found != nil {
		found.applied++
		matched := found.fault
		return &matched
	}
	return s.roll(call)
}

func (f *Fault) matches(call Call) bool {
	isThere := f.Path == "" && !call.Batched
	if f.Path != "" {
		isThere, _ = path.Match(f.Path, call.Path) // Check has parsed the pattern
	}
	if !isThere {
		return false
	}
	return (f.On == "" || f.On == call.Endpoint) && (f.Client == "" || strings.EqualFold(f.Client, call.Client)) &&
		(f.Grant == "" || f.Grant == call.Grant)
}

// isLeft reports whether the fault can still apply.
func (s *step) isLeft() bool { return s.fault.Times == Forever || s.applied < max(s.fault.Times, 1) }

// Unused returns the faults that applied less often than their Times. A fault with Forever must
// have applied once.
func (s *Script) Unused() []Progress {
	return s.progress(func(s *step) bool { return s.applied == 0 || s.fault.Times != Forever && s.isLeft() })
}

// All returns all faults of the script.
func (s *Script) All() []Progress { return s.progress(func(*step) bool { return true }) }

func (s *Script) progress(wanted func(*step) bool) []Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Progress{}
	for _, candidate := range s.steps {
		if wanted(candidate) {
			found = append(found, Progress{candidate.fault, candidate.applied})
		}
	}
	return found
}

// Remove removes the faults with a name, or with a description where they have no name. It returns
// how many there were.
func (s *Script) Remove(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.steps)
	s.steps = slices.DeleteFunc(slices.Clone(s.steps), func(one *step) bool { return one.fault.String() == name })
	return before - len(s.steps)
}

// Chaos returns the chaos at present.
func (s *Script) Chaos() Chaos {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chaos
}

// Clear empties the script and ends chaos.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = nil
	s.chaos = Chaos{}
	s.dice = nil
}

// Chaos applies faults to a share of all requests. Its zero value applies none.
type Chaos struct {
	// Share is the share of requests that get a fault, from 0 to 1.
	Share float64 `json:"share"`
	// Seed selects the requests and their faults. The same seed gives the same sequence.
	Seed uint64 `json:"seed,omitempty"`
	// Faults are the faults to choose from. Nth and Times do not count. Nil means Usual.
	Faults []Fault `json:"faults,omitempty"`
}

// Usual returns the usual faults of a service on the internet. A client must recover from them.
func Usual() []Fault {
	return []Fault{
		{Name: "busy", Status: 429, RetryAfter: time.Second},
		{Name: "unavailable", Status: 503, RetryAfter: time.Second},
		{Name: "gateway timeout", Status: 504, Body: "<html><body>Gateway Timeout</body></html>"},
		{Name: "connection closed", Drop: true},
		{Name: "answer lost", Drop: true, Processed: true},
		{Name: "answer cut", CutAfter: 20},
		{Name: "garbage", Garbage: true},
		{Name: "slow", Delay: 50 * time.Millisecond},
	}
}

// SetChaos starts chaos, or ends it with a share of 0.
func (s *Script) SetChaos(chaos Chaos) error {
	if !(chaos.Share >= 0 && chaos.Share <= 1) {
		return fmt.Errorf("fault: chaos: want a share from 0 to 1, got %v", chaos.Share)
	}
	if chaos.Faults == nil {
		chaos.Faults = Usual()
	}
	if len(chaos.Faults) == 0 || len(chaos.Faults) > maxFaults {
		return fmt.Errorf("fault: chaos: want 1 to %d faults, got %d", maxFaults, len(chaos.Faults))
	}
	for i := range chaos.Faults {
		if err := chaos.Faults[i].Check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chaos = chaos
	s.dice = rand.New(rand.NewPCG(chaos.Seed, 0))
	return nil
}

// roll returns a fault of chaos, or nil. Each call draws two numbers, so the result for the nth
// request depends only on the seed and on n.
func (s *Script) roll(call Call) *Fault {
	if s.chaos.Share == 0 {
		return nil
	}
	share := s.dice.Float64()
	which := s.dice.Uint64()
	if share >= s.chaos.Share {
		return nil
	}
	matching := slices.DeleteFunc(slices.Clone(s.chaos.Faults), func(f Fault) bool { return !f.matches(call) })
	if len(matching) == 0 {
		return nil
	}
	chosen := matching[which%uint64(len(matching))]
	return &chosen
}
