package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const wantURL = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, with characters such as " +
	"@ : / ? # in the password as %40 %3A %2F %3F %23"

// parse reads the URL. Its errors leave out the password.
func parse(config Config) (*pgxpool.Config, error) {
	address, err := url.Parse(config.URL)
	if err != nil || address.Scheme != "postgres" && address.Scheme != "postgresql" {
		return nil, errors.New("store: the URL of PostgreSQL cannot be read: " + wantURL)
	}
	parsed, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, fmt.Errorf("store: the URL of PostgreSQL cannot be used%s: %s", reason(err, address), wantURL)
	}
	connection := parsed.ConnConfig
	query := address.Query()
	if !query.Has("pool_max_conns") {
		parsed.MaxConns = maxConnections
	}
	// A standby would answer reads with older records.
	connection.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	if connection.RuntimeParams["application_name"] == "" {
		connection.RuntimeParams["application_name"] = "mcp-entra-server"
	}
	connection.ConnectTimeout = callTimeout
	connection.AfterConnect = setSession
	connection.OnNotice = noticed
	hasMode := query.Has("sslmode") || query.Has("ssl") || os.Getenv("PGSSLMODE") != ""
	return parsed, checkEncryption(config, connection.Config, hasMode)
}

// reason returns the reason that pgx gives for an error in the URL. It returns nothing if the text
// could contain the password.
func reason(err error, address *url.URL) string {
	inner := errors.Unwrap(err)
	if inner == nil {
		return ""
	}
	text := inner.Error()
	secrets := []string{address.Query().Get("password"), address.Query().Get("sslpassword")}
	if address.User != nil {
		password, _ := address.User.Password()
		secrets = append(secrets, password, address.User.String())
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			return ""
		}
	}
	return " (" + text + ")"
}

// checkEncryption refuses a host beyond this machine if the URL does not say whether the connection
// is encrypted. It warns of a connection that may not be encrypted.
func checkEncryption(config Config, connection pgconn.Config, hasMode bool) error {
	var plain, unverified []string
	check := func(host string, encryption *tls.Config) {
		switch {
		case isLocal(host):
		case encryption == nil:
			plain = append(plain, host)
		case encryption.InsecureSkipVerify && encryption.VerifyPeerCertificate == nil &&
			encryption.VerifyConnection == nil:
			unverified = append(unverified, host)
		}
	}
	check(connection.Host, connection.TLSConfig)
	for _, fallback := range connection.Fallbacks {
		check(fallback.Host, fallback.TLSConfig)
	}
	switch {
	case len(plain) > 0 && !hasMode:
		return fmt.Errorf("store: the URL of PostgreSQL does not say whether the connection to %s is encrypted: add "+
			"sslmode=verify-full (and sslrootcert=FILE for a CA of your own), or sslmode=disable if others cannot "+
			"read that network", plain[0])
	case len(plain) > 0:
		config.Logger.Warn("the connection to PostgreSQL may be without encryption, so others on the network can "+
			"read the password and the records: use sslmode=verify-full", "host", plain[0])
	case len(unverified) > 0:
		config.Logger.Warn("the connection to PostgreSQL is encrypted, but the server's certificate is not "+
			"checked: use sslmode=verify-full", "host", unverified[0])
	}
	return nil
}

// isLocal reports whether a host is the folder of a Unix socket or on loopback.
func isLocal(host string) bool {
	address, err := netip.ParseAddr(host)
	isLoopback := err == nil && address.Unmap().IsLoopback()
	return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || isLoopback
}

// setSession sets what the store relies on, whatever the defaults of the server are. A process that
// vanishes in a transaction must not keep its locks.
func setSession(ctx context.Context, connection *pgconn.PgConn) error {
	return connection.Exec(ctx, fmt.Sprintf(`
		SET statement_timeout = %d;
		SET idle_in_transaction_session_timeout = %d;
		SET default_transaction_isolation = 'read committed';
		SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';`,
		statementTimeout.Milliseconds(), 2*callTimeout.Milliseconds())).Close()
}

// unreplicated marks a connection whose last commit did not wait for the synchronous standby.
const unreplicated = "unreplicated"

// noticed marks a connection after a warning. The statements of this package cause only one: the
// commit stopped waiting for the synchronous standby.
func noticed(connection *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" {
		connection.CustomData()[unreplicated] = notice.Message
	}
}
