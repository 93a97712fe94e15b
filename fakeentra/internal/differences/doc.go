// Package differences changes single answers of a fake, for the tests of fakeentra verify. Each
// difference has the name of the fact that it breaks.
package differences
