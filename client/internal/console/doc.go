// Package console is the terminal side of the client: the prompt, the verbs list and call, and the
// words in which the steps of a sign-in are told.
package console
