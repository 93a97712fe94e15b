//go:build !unix

package main

import "io/fs"

// keepOwner leaves the owner to the system.
func keepOwner(string, fs.FileInfo) error { return nil }
