// Package admin is the HTTP API that controls a fake Entra ID. Tests in any language can do what a
// test in Go does with the methods of [mcpentra/fakeentra.Fake]: mint tokens, inject faults, roll
// keys, set the clock, read the journal, change the directory and reset.
//
// Any program that reaches the API controls the fake, so serve it on its own loopback address, as
// the program fakeentra does. [Handler] refuses requests that a web page could send: a Host that is
// not loopback (DNS rebinding), an Origin, and a body without the content type application/json.
package admin
