// Package endpoint names what a fake Entra ID serves, for faults and for the journal: a name stands
// for an endpoint in all its versions and tenants.
package endpoint
