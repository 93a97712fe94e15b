// Package broken holds authorization servers that are broken in one way each. They prove the
// checks: every check catches a broken server, and no check is red for a server without faults.
//
// A [Fault] names one way to be broken. To add a fault, name it in faults.go, simulate it, and add
// it to caughtBy in caught_test.go, which maps each fault to the checks that catch it.
package broken
