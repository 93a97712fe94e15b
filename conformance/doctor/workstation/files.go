package workstation

import (
	"errors"
	"io"
	"os"
)

// readRegular reads a regular file of bounded size. A pipe would make the examination wait.
func readRegular(name string, most int64) ([]byte, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return readBounded(name, most)
}

// readLinked is readRegular for a file that may be behind a link.
func readLinked(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return readBounded(name, most)
}

// readBounded reads the beginning of a file.
func readBounded(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}
