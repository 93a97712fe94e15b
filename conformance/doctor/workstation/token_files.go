package workstation

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"mcpentra/conformance/doctor"
)

// files examines the files of a folder of tokens. It opens only the key, to find out which file
// belongs to the server.
func (m *machine) files(step *doctor.Step, folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		addNoFolder(step, err.Error())
		return
	}
	records := 0
	for _, entry := range entries[:min(len(entries), maxRecords)] {
		name := entry.Name()
		info, err := entry.Info()
		if err != nil {
			continue // it has just been replaced
		}
		path := filepath.Join(folder, name)
		switch {
		case name == keyName:
			m.keyFile(step, path, info)
		case strings.HasSuffix(name, recordSuffix):
			records++
			m.recordFile(step, path, info)
		case strings.HasSuffix(name, lockSuffix):
			m.lockFile(step, path, info)
		}
	}
	did(step, "%d records of servers and accounts", records)
	m.recordOfServer(step, folder, records)
}

// keyFile checks the encryption key, which the client refuses if others can read it.
func (m *machine) keyFile(step *doctor.Step, path string, info fs.FileInfo) {
	wrong := ""
	fix := "rm " + shellWord(path) + ", and sign in again"
	switch {
	case !info.Mode().IsRegular():
		wrong = "is not a regular file"
	case m.hasModes() && info.Mode().Perm()&0o077 != 0:
		wrong = fmt.Sprintf("has mode %04o, so other users can read it", info.Mode().Perm())
		fix = "chmod 0600 " + shellWord(path) + " if no one else read it; otherwise delete it and sign in again"
	case info.Size() != keyLength:
		wrong = fmt.Sprintf("has %d bytes, and a key has %d", info.Size(), keyLength)
	}
	if wrong != "" {
		step.Add(doctor.Finding{
			Code:    "token-key-unusable",
			Kind:    doctor.Fault,
			Seen:    "the key " + path + " " + wrong,
			Why:     "The key encrypts the tokens.",
			Effects: stops("it refuses the key, and ends with status 2"),
			Fixes:   []doctor.Fix{change("shell", fix)},
		})
	}
	m.owner(step, path, info)
}

func (m *machine) recordFile(step *doctor.Step, path string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		step.Add(doctor.Finding{
			Code:    "token-record-unusable",
			Kind:    doctor.Fault,
			Seen:    path + " is not a regular file",
			Why:     "The client follows no links, because another user may have planted one.",
			Effects: stops("it ends with status 2 at the server of this record"),
			Fixes:   []doctor.Fix{change("shell", "rm "+shellWord(path)+", and sign in again")},
		})
		return
	}
	if m.hasModes() && info.Mode().Perm()&0o077 != 0 {
		step.Add(doctor.Finding{
			Code:  "token-record-shared",
			Kind:  doctor.Warning,
			Seen:  fmt.Sprintf("%s has mode %04o", path, info.Mode().Perm()),
			Why:   "Other users can copy the encrypted tokens.",
			Fixes: []doctor.Fix{change("shell", "chmod 0600 "+shellWord(path))},
		})
	}
	m.owner(step, path, info)
}

// lockFile finds a lock that a process holds now.
func (m *machine) lockFile(step *doctor.Step, path string, info fs.FileInfo) {
	pid := lockHolder(m.config.Root, info)
	if pid == 0 {
		return
	}
	step.Add(doctor.Finding{
		Code:    "token-store-locked",
		Kind:    doctor.Warning,
		Seen:    fmt.Sprintf("process %d holds the lock %s", pid, path),
		Why:     "One process at a time refreshes a token. The others wait.",
		Effects: stops("it waits until that process ends its sign-in"),
		Fixes:   []doctor.Fix{change("this machine", fmt.Sprintf("wait for process %d, or end it if it hangs", pid))},
	})
}

// lockHolder returns the process that holds a lock on a file, or 0. It reads Linux's table of locks
// (proc_locks in the kernel's documentation).
func lockHolder(root string, info fs.FileInfo) int {
	device, known := deviceAndInode(info)
	if !known {
		return 0
	}
	table, err := readBounded(filepath.Join(root, "proc", "locks"), maxTable)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		// A waiting process has "->" before the kind of lock.
		if len(fields) < 6 || fields[1] == "->" || fields[5] != device {
			continue
		}
		pid := 0
		if _, err := fmt.Sscanf(fields[4], "%d", &pid); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}

// recordOfServer says whether there is a record for the server. Without the key it cannot know.
func (m *machine) recordOfServer(step *doctor.Step, folder string, records int) {
	if records == 0 {
		return
	}
	key, err := readRegular(filepath.Join(folder, keyName), keyLength+1)
	if m.keyInKeychain || err != nil || len(key) != keyLength {
		did(step, "whether one is for this server shows only with the key, which is not asked for")
		return
	}
	name := recordName(key, canonicalURL(m.config.URL), m.env["MCP_ACCOUNT"])
	if _, err := os.Lstat(filepath.Join(folder, name+recordSuffix)); err == nil {
		did(step, "one is for this server")
		return
	}
	did(step, "none is for this server and account")
}

// recordName returns the name of a record's file, without suffix. It depends on the key, so that
// the names show no server.
func recordName(key []byte, resource, account string) string {
	nameKey, err := hkdf.Key(sha256.New, key, nil, "mcp-entra-client record name", 32)
	if err != nil {
		return ""
	}
	sum := hmac.New(sha256.New, nameKey)
	fmt.Fprintf(sum, "%q %q", resource, account)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// canonicalURL returns the form of a server's URL under which the client keeps its tokens.
func canonicalURL(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return text
	}
	parsed.Scheme = strings.ToLower(parsed.Scheme)
	parsed.Host = strings.ToLower(parsed.Host)
	parsed.Fragment = ""
	parsed.RawFragment = ""
	return parsed.String()
}
