// Package catalogue lists what a protected MCP server has to keep and to withstand: the requirements of MCP and of the standards below it, and attacks. Each [Entry] is
// tried by a check, which names it in Covers, or says why there is none.
package catalogue
