package broker

// A ClientPolicy decides which clients can use the broker, and how. The zero value lets every
// client register itself.
type ClientPolicy struct{}
