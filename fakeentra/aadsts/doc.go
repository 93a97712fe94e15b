// Package aadsts is the catalogue of Entra ID's errors: number, sentence, OAuth error code and HTTP
// status.
//
// catalogue.tsv lists the errors. The sentences are Entra ID's own, because clients and support
// scripts search for them. The column confidence says how well a fact is known: H was recorded, M
// was documented or reported, L is from memory. A look at a real tenant can settle an M or an L.
package aadsts
