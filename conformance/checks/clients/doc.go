// Package clients has the checks of clients: each tells whether a client that is sent into a lab keeps one rule.
package clients
