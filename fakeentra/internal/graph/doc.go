// Package graph is the part of Microsoft Graph that programs ask about the person who signed in,
// with Graph's own shape of errors.
package graph
