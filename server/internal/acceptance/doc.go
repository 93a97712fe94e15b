// Package acceptance has tests of the broker as a whole: random histories against a model, races,
// linearizability, secrets in the store, and bounds under floods.
//
// Everything but the store runs in the process of the test. Entra ID is a stub that answers at
// once, so that the tests can run very many histories. The tests of the other packages use the fake
// issuer, which has Entra ID's rules.
package acceptance
