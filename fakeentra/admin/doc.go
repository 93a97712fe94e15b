// Package admin is the control of a fake Entra ID over HTTP, so that a test in any language can do
// what a test in Go does with the methods of [mcpentra/fakeentra.Fake]: mint tokens, inject faults,
// roll keys, set the clock, read the journal, change the directory, begin anew.
//
// Whoever reaches it is in control, so it belongs on a loopback address of its own, which is what
// the program gives it. [Handler] refuses what a web page in somebody's browser could send: names
// that are not loopback in Host (DNS rebinding), requests with an Origin, and bodies that are not
// declared as application/json.
package admin
