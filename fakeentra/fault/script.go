package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/fakeentra/endpoint"
)

// maxFaults is how many faults a script holds, those that are used up among them.
const maxFaults = 1000

// A Call is what a fault can tell requests apart by.
type Call struct {
	Endpoint endpoint.Name
	Client   string // application ID
	Grant    string // grant_type
}

// A Script is a list of faults and how far it has been played. Its zero value is empty. It is safe
// for concurrent use.
type Script struct {
	mu    sync.Mutex
	acts  []*act
	chaos Chaos
	dice  *rand.Rand
}

type act struct {
	fault        Fault
	seen, struck int
}

// Progress is a fault and how many requests it has struck.
type Progress struct {
	Fault  Fault `json:"fault"`
	Struck int   `json:"struck"`
}

// Add appends faults. It takes all of them or, when one cannot be meant, none.
func (s *Script) Add(faults ...Fault) error { return s.put(false, faults) }

// Replace is Add to an empty script. Chaos goes on.
func (s *Script) Replace(faults ...Fault) error { return s.put(true, faults) }

func (s *Script) put(anew bool, faults []Fault) error {
	for i := range faults {
		if err := faults[i].Check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.acts
	if anew {
		before = nil
	}
	if len(before)+len(faults) > maxFaults {
		return fmt.Errorf("fault: a script holds at most %d faults", maxFaults)
	}
	s.acts = before
	for _, one := range faults {
		s.acts = append(s.acts, &act{fault: one})
	}
	return nil
}

// Match returns the fault for a call, or nil. It is the first fault of the script that is about the
// call and not used up, or else a fault of chaos. Each fault that is about the call counts it, even
// if an earlier one applies.
func (s *Script) Match(call Call) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *act
	for _, one := range s.acts {
		if !one.fault.matches(call) {
			continue
		}
		one.seen++
		if found == nil && one.seen >= one.fault.Nth && one.owed() {
			found = one
		}
	}
	if found != nil {
		found.struck++
		struck := found.fault
		return &struck
	}
	return s.roll(call)
}

func (f *Fault) matches(call Call) bool {
	return (f.On == "" || f.On == call.Endpoint) && (f.Client == "" || strings.EqualFold(f.Client, call.Client)) &&
		(f.Grant == "" || f.Grant == call.Grant)
}

// owed reports whether the fault has strikes left.
func (a *act) owed() bool { return a.fault.Times == Forever || a.struck < max(a.fault.Times, 1) }

// Unused are the faults that have not struck as often as they say; one that strikes for ever has to
// have struck once.
func (s *Script) Unused() []Progress {
	return s.progress(func(a *act) bool { return a.struck == 0 || a.fault.Times != Forever && a.owed() })
}

// All are all faults of the script.
func (s *Script) All() []Progress { return s.progress(func(*act) bool { return true }) }

func (s *Script) progress(wanted func(*act) bool) []Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Progress{}
	for _, one := range s.acts {
		if wanted(one) {
			found = append(found, Progress{one.fault, one.struck})
		}
	}
	return found
}

// Clear empties the script and ends chaos.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = nil
	s.chaos = Chaos{}
	s.dice = nil
}

// Chaos spoils a share of all requests. Its zero value spoils none.
type Chaos struct {
	// Share is how much is spoiled, from 0 to 1.
	Share float64 `json:"share"`
	// Seed decides which requests and how. One seed gives one sequence.
	Seed uint64 `json:"seed,omitempty"`
	// Faults are what is chosen from; Nth and Times do not count. Nil means Usual.
	Faults []Fault `json:"faults,omitempty"`
}

// Usual are the ways in which a service on the internet fails, and from which a client has to
// recover by itself.
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

// SetChaos begins chaos, or ends it with a share of 0.
func (s *Script) SetChaos(chaos Chaos) error {
	if !(chaos.Share >= 0 && chaos.Share <= 1) {
		return fmt.Errorf("fault: chaos: want a share from 0 to 1, got %v", chaos.Share)
	}
	if chaos.Faults == nil {
		chaos.Faults = Usual()
	}
	if len(chaos.Faults) == 0 || len(chaos.Faults) > maxFaults {
		return errors.New("fault: chaos: want faults to choose from")
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

// roll decides whether chaos strikes. Each call draws two numbers, whatever it is, so that the fate
// of the nth request depends on the seed and n alone.
func (s *Script) roll(call Call) *Fault {
	if s.chaos.Share == 0 {
		return nil
	}
	share := s.dice.Float64()
	which := s.dice.Uint64()
	if share >= s.chaos.Share {
		return nil
	}
	fitting := slices.DeleteFunc(slices.Clone(s.chaos.Faults), func(f Fault) bool { return !f.matches(call) })
	if len(fitting) == 0 {
		return nil
	}
	struck := fitting[which%uint64(len(fitting))]
	return &struck
}
