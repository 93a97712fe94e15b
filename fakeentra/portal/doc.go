// Package portal serves the pages of a fake Entra ID for people: the directory, tokens, the journal
// of requests, faults, the clock and the keys.
//
// The program fakeentra shows them at its address. In Go, set fakeentra.Config.Portal to Handler.
// The fake shows the pages only to a browser on the same machine. Each change goes through the
// admin API, so the pages can do nothing that package admin cannot do. Signing in this browser is
// the one exception, because it sets a cookie.
package portal
