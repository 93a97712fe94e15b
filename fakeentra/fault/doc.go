// Package fault describes the faults that a fake Entra ID can simulate. A [Fault] selects requests,
// and says how their answers change. It is data, and the same in Go, in a directory file and in the
// admin API. A [Script] matches requests with faults, in the order in which they were added.
//
// [Chaos] is for long runs. It applies faults to a share of all requests. The same seed selects the
// same requests.
//
// # To add a fault
//
// A new effect needs a field of [Fault] with its rules in [Fault.Check] and its name in
// [Fault.String] (fault.go), its JSON form if it is a duration (json.go), a line in
// directory/example.yaml, and its work in fakeentra/faults.go. A test in
// fakeentra/faults_test.go completes it.
package fault
