// Package bench is the test bench for clients: the client under test, the tasks that it gets, and
// what a check works with. Package lab has the environment in which a client runs.
package bench
