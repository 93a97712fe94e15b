// Package directory holds what a fake Entra ID knows: tenants, app registrations, users and what
// they have consented to.
//
// A [Directory] is data that does not change while a fake runs; what people do (sign-ins, consent,
// codes) is the fake's own state. [Default] is the whole directory of a fake that was told nothing.
package directory
