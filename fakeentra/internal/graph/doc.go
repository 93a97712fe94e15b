// Package graph is the part of Microsoft Graph that describes the person who signed in, with
// Graph's own error format.
package graph
