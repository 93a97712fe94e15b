// Package rules makes the decisions of Entra ID that need only its directory: scopes, redirect
// URIs, clients, accounts, policies, consent and optional claims. The functions keep no state, so
// tests need no fake.
package rules
