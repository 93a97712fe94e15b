// Package lookalike finds names of clients and hosts that a person may take for others: names of
// known programs that are spelled with letters of other alphabets, and domain names that mix
// scripts (Unicode Technical Standard 39).
package lookalike
