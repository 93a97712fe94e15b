//go:build !unix

package tokenstore

// noFollow is nothing where links are not for everybody to plant, and files have no modes but lists
// of who may read them.
const noFollow = 0
