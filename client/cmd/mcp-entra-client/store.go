package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"mcpentra/client/signin"
	"mcpentra/client/tokenstore"
)

// openStore opens the token store, and notes in words where it is. By default a client without a
// person keeps no tokens, because it can always get another.
func (s *settings) openStore(unattended bool) (tokenstore.Store, error) {
	location := s.tokenStore
	switch {
	case location == "" && unattended:
		location = "memory"
	case location == "":
		location = "file"
	}
	kind, detail, _ := strings.Cut(location, ":")
	switch {
	case location == "memory":
		return &tokenstore.Memory{}, nil
	case kind == "file":
		return s.openFileStore(detail)
	case kind == "command":
		return s.openCommandStore(detail)
	}
	return nil, fmt.Errorf("--token-store: want file, file:FOLDER, memory or command:WORDS, got %q", location)
}

func (s *settings) openFileStore(folder string) (tokenstore.Store, error) {
	if folder == "" {
		state, err := stateFolder()
		if err != nil {
			return nil, fmt.Errorf("there is no folder for tokens: %w; name one with --token-store", err)
		}
		folder = filepath.Join(state, "tokens")
	}
	store, err := tokenstore.OpenFile(folder, keychain())
	if err != nil {
		return nil, err
	}
	s.kept = fmt.Sprintf("Kept, encrypted, in %s; the key is in %s", folder, store.EncryptionKeyLocation())
	return store, nil
}

func (s *settings) openCommandStore(command string) (tokenstore.Store, error) {
	words, err := signin.SplitWords(command)
	if err != nil {
		return nil, fmt.Errorf("--token-store: %w", err)
	}
	state, err := stateFolder()
	if err != nil {
		return nil, err
	}
	store, err := tokenstore.NewCommand(words, filepath.Join(state, "locks"))
	if err != nil {
		return nil, err
	}
	s.kept = "Kept by " + words[0]
	return store, nil
}

// stateFolder returns the folder for this program's state (XDG Base Directory).
func stateFolder() (string, error) {
	if folder := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "mcp-entra-client"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("want an absolute path in HOME, got %q", home)
	}
	return filepath.Join(home, ".local", "state", "mcp-entra-client"), nil
}

// keychain returns the system's keychain, or nil if there cannot be one. Looking for a Secret
// Service without a session bus would start a bus.
func keychain() *tokenstore.Keychain {
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" && os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		return nil
	}
	return tokenstore.SystemKeychain()
}
