//go:build !unix

package workstation

import "io/fs"

func ownerOf(fs.FileInfo) (user int, known bool) { return 0, false }

func deviceAndInode(fs.FileInfo) (text string, known bool) { return "", false }
