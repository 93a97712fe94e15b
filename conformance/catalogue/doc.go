// Package catalogue lists the requirements of MCP and of the standards below it, and attacks. A
// check tries each [Entry] and names it in Covers, or the entry has a reason why no check does.
//
// The entries are data. requirements.tsv and attacks.tsv have one entry per line. Tabs separate the
// columns: the ID, the level, the severity of an attack, the revisions of a requirement (separated
// by commas), the sentence, and the name of the reason why no check tries it. A hyphen is an empty
// column. reasons.tsv has the reasons by name. A reason that begins with "partly: " says what the
// checks of an entry leave out.
//
// advisories.tsv lists published weaknesses of other software. Its columns are the names of the
// [Advisory], separated by commas, the software, the weakness, what replays it, and the reason if
// nothing does. A replay is the name of a Go test, or the ID of a check with the fault of a broken
// implementation that has the weakness: "check = fault". Semicolons separate the replays.
//
// faults.tsv lists the broken implementations of the tests. Its columns are the role of the
// software, the group of the [Fault], the sentence, and the checks that catch it, separated by
// commas. The tests beside the implementations prove each line: exactly these checks go red.
//
// tests.tsv says how each check is tested. Its columns are the ID of the check and the sentences.
//
// The files in fixes have a [Fix] for each topic, which is the first two segments of a check's ID.
// A topic has the change in one line, what to do in general, and how with each SDK. Advice for go
// is for both Go SDKs. Names of an API are in backquotes, and names of this module have their whole
// path. The tests look for the names in Go and in TypeScript.
package catalogue
