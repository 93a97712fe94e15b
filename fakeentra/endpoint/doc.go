// Package endpoint names the endpoints of a fake Entra ID, for faults and for the journal. One name
// covers an endpoint in all versions and tenants.
package endpoint
