// Package catalogue lists what MCP servers and clients have to keep and to withstand: the
// requirements of MCP and of the standards below it, and attacks. Each [Entry] is tried by a check,
// which names it in Covers, or says why there is none.
//
// The entries are data. requirements.tsv and attacks.tsv have one entry per line, in columns that a
// tab separates: the ID, the level, the severity of an attack, the revisions that a requirement
// belongs to (with commas), the sentence, and the name of the reason why no check tries it. A
// hyphen is an empty column. reasons.tsv has the reasons by name.
package catalogue
