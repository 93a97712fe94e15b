// Package facts reads the requests of fakeentra verify, and the facts about their answers.
package facts
