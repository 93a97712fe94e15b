//go:build unix

package workstation

import (
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownerOf returns the user that a file belongs to.
func ownerOf(info fs.FileInfo) (user int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// deviceAndInode returns the device and inode of a file as Linux's table of locks writes them.
func deviceAndInode(info fs.FileInfo) (text string, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	device := uint64(stat.Dev)
	return fmt.Sprintf("%02x:%02x:%d", unix.Major(device), unix.Minor(device), stat.Ino), true
}
