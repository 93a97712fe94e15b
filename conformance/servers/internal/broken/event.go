package broken

// Faults in the events of streams, and in what the challenge says about the metadata.
const (
	ReplaysEverything   Fault = "replays the events of all users to a client that resumes"
	SendsTokensInEvents Fault = "sends the caller's token in a log message"
	AnnouncesNowhere    Fault = "names an address without metadata in the challenge"
	NamesNoScopes       Fault = "names its scopes neither in the challenge nor in the metadata"
)

// An event tells a user about a run of the tool. Its ID is its number.
type event struct {
	id     int
	owner  string
	marker string
}

// maxEvents bounds the events that the server keeps for clients that resume.
const maxEvents = 1000

// keepEvent numbers an event and keeps it. The caller holds the lock.
func (s *Server) keepEvent(owner, marker string) event {
	s.lastEvent++
	made := event{s.lastEvent, owner, marker}
	s.events = append(s.events, made)
	if len(s.events) > maxEvents {
		s.events = s.events[1:]
	}
	return made
}

// missedEvents returns the kept events of a user after one.
func (s *Server) missedEvents(owner string, after int) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var missed []event
	for _, kept := range s.events {
		if kept.id > after && (kept.owner == owner || s.has(ReplaysEverything)) {
			missed = append(missed, kept)
		}
	}
	return missed
}
