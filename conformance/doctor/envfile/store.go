package envfile

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// storeKind returns the kind of the store, such as file.
func (e *exam) storeKind() string {
	kind, _, _ := strings.Cut(e.get("STORE_URL"), ":")
	if e.get("STORE_URL") == "" {
		return "file"
	}
	return strings.ToLower(kind)
}

// storePath returns the path of a file store as it is written, or "" for the default.
func (e *exam) storePath() string {
	_, path, _ := strings.Cut(e.get("STORE_URL"), ":")
	return strings.TrimPrefix(path, "//")
}

func (e *exam) storeExists() bool {
	path := e.storePath()
	if path == "" {
		return false
	}
	_, err := os.Stat(e.path(path))
	return err == nil
}

// servers are the ports of stores that are servers, by the scheme of their URL.
var servers = map[string]string{
	"postgres":       "5432",
	"postgresql":     "5432",
	"redis":          "6379",
	"rediss":         "6379",
	"redis+sentinel": "26379",
	"redis+cluster":  "6379",
}

// checkStore looks at the store. It writes nothing and does not sign in.
func (e *exam) checkStore(ctx context.Context) bool {
	kind := e.storeKind()
	if e.isDirect() || e.wrong["STORE_URL"] {
		return true
	}
	port, isServer := servers[strings.Replace(kind, "rediss+", "redis+", 1)]
	switch {
	case kind == "memory":
		e.warn("store-memory", e.at("STORE_URL")+" keeps grants in memory", "People sign in again after each restart.",
			e.write("STORE_URL", "file:grants.db"))
	case kind == "file":
		e.checkStoreFile()
	case isServer:
		e.checkStoreServer(ctx, port)
	default:
		e.fault("STORE_URL", "store-kind", e.at("STORE_URL")+" has an unknown scheme",
			"The server does not start with it.", e.write("STORE_URL", "file:grants.db"),
			e.write("STORE_URL", "postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full"))
	}
	return true
}

func (e *exam) checkStoreFile() {
	path := e.storePath()
	if path == "" {
		if e.get("STORE_URL") != "" {
			e.fault("STORE_URL", "store-path", e.at("STORE_URL")+" names no file", "The server does not start with it.",
				e.write("STORE_URL", "file:grants.db"))
		}
		return
	}
	info, err := os.Stat(e.path(path))
	if err == nil && !info.Mode().IsRegular() {
		e.fault("STORE_URL", "store-path", fmt.Sprintf("%s names %s, which is not a file", e.at("STORE_URL"), path),
			"The server does not start with it.", e.write("STORE_URL", "file:grants.db"))
		return
	}
	keysFile := e.get("MCP_KEYS_FILE")
	if keysFile == "" {
		keysFile = strings.TrimSuffix(path, ".db") + ".keys"
	}
	e.did("the store is the file %s", path)
	keysInfo, keysErr := os.Stat(e.path(keysFile))
	switch {
	case err == nil && keysErr != nil && !e.wrong["MCP_KEYS_FILE"]:
		e.fault("STORE_URL", "store-keys-missing", fmt.Sprintf("the store %s exists, and its keys file %s does not",
			path,
			keysFile), "Its records are encrypted, and new keys could not read them.",
			e.line("MCP_KEYS_FILE", "restore "+keysFile+" from the backup"),
			e.line("STORE_URL", "remove "+path+"; all people then sign in again"))
	case keysErr == nil && isOpen(keysInfo, readable) && !e.wrong["MCP_KEYS_FILE"]:
		e.fault("STORE_URL", "file-open", fmt.Sprintf("other users can read the keys file %s (mode %04o)", keysFile,
			keysInfo.Mode().Perm()), "The server does not start with it.",
			e.line("MCP_KEYS_FILE", "chmod 600 "+keysFile))
	case err == nil && isOpen(info, readable):
		e.warn("file-open", fmt.Sprintf("other users can read the store %s (mode %04o)", path, info.Mode().Perm()),
			"It holds encrypted grants.", e.line("STORE_URL", "chmod 600 "+path))
	}
	e.fine("store-file", "a file serves one process, so this server has no replicas")
}

func (e *exam) checkStoreServer(ctx context.Context, port string) {
	address, err := url.Parse(e.get("STORE_URL"))
	if err != nil || address.Host == "" {
		e.fault("STORE_URL", "store-url", e.at("STORE_URL")+" is not a URL with a host",
			"The server does not start with it. "+
				"A password with special characters must be percent-encoded.",
			e.write("STORE_URL", e.storeKind()+"://USER:PASSWORD@HOST/…"))
		return
	}
	if password, found := address.User.Password(); found {
		e.secrets.Add(password)
	}
	if e.get("MCP_KEYS_FILE") == "" {
		e.fault("MCP_KEYS_FILE", "store-keys-missing",
			"MCP_KEYS_FILE is missing, and the store is a server ("+e.storeKind()+
				")", "All replicas need the same keys, so no replica makes its own.",
			e.write("MCP_KEYS_FILE", "store.keys"), e.line("MCP_KEYS_FILE",
				"(umask 077; openssl rand -base64 32 > store.keys)"))
	}
	for host := range strings.SplitSeq(address.Host, ",") {
		e.dialStore(ctx, host, port)
	}
	if isUnencrypted(address) {
		e.warn("store-unencrypted", "the connection to the store is not encrypted",
			"Other machines on the way can read the "+
				"password.", e.write("STORE_URL", encrypted(address)))
	}
	e.fine("store-reached", "the store takes connections; the sign-in to it was not tried")
}

// dialStore connects to one host of the store, and sends nothing.
func (e *exam) dialStore(ctx context.Context, host, port string) {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	ctx, cancel := context.WithTimeout(ctx, e.config.Patience)
	defer cancel()
	connection, err := e.config.Dial(ctx, "tcp", host)
	if err != nil {
		e.fault("STORE_URL", "store-unreachable", fmt.Sprintf("no connection to the store at %s: %v", host, err),
			"The server does not start without its store.", e.line("STORE_URL",
				"check host and port, and start the store"))
		return
	}
	_ = connection.Close()
	e.did("TCP connects to the store at %s", host)
}

// isUnencrypted reports whether a connection to another machine has no TLS.
func isUnencrypted(address *url.URL) bool {
	if isLocal(address.Hostname()) {
		return false
	}
	if strings.HasPrefix(address.Scheme, "postgres") {
		return slices.Contains([]string{"disable", "allow", "prefer"}, address.Query().Get("sslmode"))
	}
	return !strings.HasPrefix(address.Scheme, "rediss")
}

// encrypted returns the scheme of the store with TLS.
func encrypted(address *url.URL) string {
	if strings.HasPrefix(address.Scheme, "postgres") {
		return "postgres://USER:PASSWORD@" + address.Hostname() + "/DATABASE?sslmode=verify-full"
	}
	return strings.Replace(address.Scheme, "redis", "rediss", 1) + "://USER:PASSWORD@" + address.Hostname()
}
