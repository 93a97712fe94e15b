// Package storetest is the contract that every store.Store has to pass.
package storetest
