// Package directory holds the directory of a fake Entra ID: tenants, app registrations, users,
// groups and policies.
//
// A [Directory] is data that does not change while a fake runs. The fake keeps sign-ins, consent
// and codes elsewhere. [Default] is the directory of a fake without a configuration. [Parse] reads
// a directory file.
package directory
