// Package official runs the official conformance suite and Inspector of the Model Context Protocol,
// which are npm packages, from tests. They and the Node.js that they need are installed by make
// interop.
package official
