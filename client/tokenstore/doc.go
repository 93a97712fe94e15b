// Package tokenstore keeps what a client has been given: registrations and tokens, by authorization server and resource, so that nothing of one is ever shown to another.
package tokenstore
