// Package lookalike finds names and hosts of clients that imitate others: names of known programs
// in letters of other alphabets, and domain names that mix scripts (Unicode Technical Standard 39).
package lookalike
