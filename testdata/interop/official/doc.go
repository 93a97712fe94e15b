// Package official runs the official conformance suite and the Inspector of the Model Context
// Protocol from tests. Both are npm packages. "make interop" installs them, with the Node.js that
// they need.
package official
