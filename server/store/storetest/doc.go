// Package storetest has the contract that every [store.Store] must pass.
package storetest
