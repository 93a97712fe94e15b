// Package graph is the part of Microsoft Graph that describes the people and groups of a tenant,
// with Graph's own queries and error format.
package graph
