// Package official runs the official conformance suite of the Model Context Protocol, which is an npm package, from
// tests. The suite and the Node.js that it needs are installed by make interop.
package official
