// Package vocabulary lists the names that products give to headers, cookies, parameters, paths and
// messages that a careless server trusts. The lists are data: add a line to names.tsv, and the
// checks try it.
package vocabulary
