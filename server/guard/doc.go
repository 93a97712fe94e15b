// Package guard puts an http.Handler behind bearer tokens.
package guard
