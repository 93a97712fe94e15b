package envfile

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A fileRule is about a file that a setting names.
type fileRule struct {
	key  string
	most int64 // bytes
	// closed are the permissions that other users must not have.
	closed fs.FileMode
	// isRefused says that the server refuses a file with these permissions. Others get a warning.
	isRefused bool
	// least is the number of characters of the secret in the file. Zero means any contents.
	least int
}

// The permissions of other users.
const (
	readable fs.FileMode = 0o077
	writable fs.FileMode = 0o022
)

// fileRules are the files, besides the certificate and the federated token.
var fileRules = []fileRule{
	{key: "AUTH_CLIENT_SECRET_FILE", most: 256 << 10, closed: readable, least: 1},
	{key: "AUTH_CERTIFICATE_FILE", most: 256 << 10, closed: readable},
	{key: "AUTH_FEDERATED_TOKEN_FILE", most: 256 << 10},
	{key: "AUTH_CA_FILE", most: 1 << 20, closed: writable},
	{key: "AUTH_CLIENTS_FILE", most: 16 << 20, closed: writable, isRefused: true},
	{key: "AUTH_RESOURCES_FILE", most: 1 << 20, closed: writable, isRefused: true},
	{key: "AUTH_REGISTRATION_TOKEN_FILE", most: 4 << 10, closed: readable, isRefused: true, least: 22},
	{key: "MCP_ADMIN_SECRET_FILE", most: 4 << 10, closed: readable, isRefused: true, least: 22},
	{key: "MCP_KEYS_FILE", most: 64 << 10, closed: readable, isRefused: true},
}

// path returns the path of a file in a setting.
func (e *exam) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(e.config.File), name)
}

// cause returns an error of the file system without the path.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// checkFiles looks at each file that a setting names.
func (e *exam) checkFiles(context.Context) bool {
	for _, rule := range fileRules {
		if e.get(rule.key) == "" || e.wrong[rule.key] {
			continue
		}
		// A file store makes its keys at the first start.
		isMade := rule.key == "MCP_KEYS_FILE" && e.storeKind() == "file" && !e.storeExists()
		name := e.get(rule.key)
		info, err := os.Stat(e.path(name))
		if err != nil && isMade {
			e.did("%s does not exist yet; the server makes it", e.at(rule.key))
			continue
		}
		e.did("%s: %s", rule.key, name)
		if e.checkFile(rule, name, info, err) {
			e.checkContents(rule, name)
		}
	}
	if len(e.step.Did) > 0 {
		e.fine("files-good", "the files can be read, and other users cannot use them")
	}
	return true
}

// checkFile checks kind, size and permissions. It returns false if the contents cannot be read.
func (e *exam) checkFile(rule fileRule, name string, info fs.FileInfo, err error) bool {
	const why = "The server reads the file at its start."
	switch {
	case err != nil:
		e.fault(rule.key, "file-missing", fmt.Sprintf("%s names %s: %v", e.at(rule.key), name, cause(err)), why,
			e.write(rule.key, "PATH-OF-THE-FILE"))
		return false
	case !info.Mode().IsRegular():
		e.fault(rule.key, "file-kind", fmt.Sprintf("%s names %s, which is not a file", e.at(rule.key), name), why,
			e.write(rule.key, "PATH-OF-THE-FILE"))
		return false
	case info.Size() > rule.most || info.Size() == 0:
		e.fault(rule.key, "file-size", fmt.Sprintf("%s names %s, which has %d bytes: want 1 to %d", e.at(rule.key),
			name,
			info.Size(), rule.most), why, e.write(rule.key, "PATH-OF-THE-FILE"))
		return false
	}
	if !isOpen(info, rule.closed) {
		return true
	}
	what := "read"
	command := "chmod 600 "
	if rule.closed == writable {
		what = "write"
		command = "chmod go-w "
	}
	seen := fmt.Sprintf("other users can %s %s of %s (mode %04o)", what, name, e.at(rule.key), info.Mode().Perm())
	fix := e.line(rule.key, command+name)
	if rule.isRefused {
		e.fault(rule.key, "file-open", seen, "The server does not start with it.", fix)
	} else {
		e.warn("file-open", seen, "Other users of the machine could act as the server.", fix)
	}
	return true
}

// checkContents checks the secrets and certificates in a file.
func (e *exam) checkContents(rule fileRule, name string) {
	text, err := os.ReadFile(e.path(name))
	if err != nil {
		e.fault(rule.key, "file-missing", fmt.Sprintf("%s names %s, which cannot be read: %v", e.at(rule.key), name,
			cause(err)),
			"The server reads the file at its start.", e.line(rule.key, "chown the file to the server's user"))
		return
	}
	trimmed := strings.TrimSpace(string(text))
	e.secrets.Add(trimmed)
	switch {
	case rule.key == "AUTH_CA_FILE":
		e.roots = x509.NewCertPool()
		if !e.roots.AppendCertsFromPEM(text) {
			e.roots = nil
			e.fault(rule.key, "file-contents", e.at(rule.key)+" names a file without a certificate in PEM",
				"The server does not start with it.", e.write(rule.key, "ca.pem"))
		}
	case rule.least > 0 && (len(trimmed) < rule.least || strings.ContainsAny(trimmed, " \t\r\n")):
		e.fault(rule.key, "file-contents", fmt.Sprintf("%s names a file that does not hold one line of at least %d "+
			"characters without blanks", e.at(rule.key), rule.least), "The file holds the secret alone.",
			e.line(rule.key, "(umask 077; openssl rand -base64 32 > "+name+")"))
	case rule.key == "AUTH_CLIENT_SECRET_FILE":
		if problem := wrongSecret(e, trimmed); problem != "" {
			e.fault(rule.key, "value-form", "the secret in the file of "+e.at(rule.key)+" "+problem,
				"Entra will refuse it.", e.portal("Certificates & secrets > Client secrets",
					"make a new client secret and copy its Value, not its Secret ID"))
		}
		if bytes.HasPrefix(text, byteOrderMark) {
			e.fault(rule.key, "byte-order-mark", "the file of "+e.at(rule.key)+" begins with a byte order mark",
				"The mark becomes part of the secret.", e.line(rule.key, "save the file as UTF-8 without BOM"))
		}
	}
}
