// Package rules is what Entra ID decides from its directory alone: scopes, redirect URIs, clients,
// accounts, policies, consent and optional claims. No function here keeps state, so each can be
// tested without a fake.
package rules
