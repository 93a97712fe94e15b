package redis

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The forms of a store in Redis.
const (
	formServer   = "server"
	formSocket   = "socket"
	formSentinel = "sentinel"
	formCluster  = "cluster"
)

// An address is a URL that has been read.
type address struct {
	form     string
	isTLS    bool
	hosts    []string // HOST:PORT each, or one path of a socket
	username string
	password string
	master   string // its name at the sentinels
	database int

	sentinelUsername string
	sentinelPassword string

	caFile    string
	prefix    string
	plaintext bool // also to hosts that are not on loopback
	volatile  bool // without an append-only file
	wait      int  // replicas that acknowledge each write
	waitTime  time.Duration
}

// forms has the form of each scheme. With a scheme that begins with rediss the connections are
// encrypted.
var forms = map[string]string{
	"redis":           formServer,
	"rediss":          formServer,
	"redis+unix":      formSocket,
	"redis+sentinel":  formSentinel,
	"rediss+sentinel": formSentinel,
	"redis+cluster":   formCluster,
	"rediss+cluster":  formCluster,
}

// IsScheme reports whether a URL with this scheme names a store in Redis.
func IsScheme(scheme string) bool { return forms[scheme] != "" }

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// readAddress reads a URL. The URL may contain passwords, so errors do not quote it.
func readAddress(text string) (*address, error) {
	scheme, rest, hasScheme := strings.Cut(text, "://")
	if !hasScheme || !IsScheme(scheme) {
		return nil, errors.New("want redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, " +
			"redis+cluster:// or rediss+cluster://")
	}
	a := &address{form: forms[scheme], isTLS: strings.HasPrefix(scheme, "rediss"), prefix: "mcpentra"}
	a.waitTime = time.Second
	if a.form == formSentinel {
		a.wait = 1
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		if err := a.readUser(authority[:at]); err != nil {
			return nil, err
		}
		authority = authority[at+1:]
	}
	if err := a.readHosts(authority, path); err != nil {
		return nil, err
	}
	if err := a.readPath(path); err != nil {
		return nil, err
	}
	if err := a.readQuery(query); err != nil {
		return nil, err
	}
	if a.form == formCluster && a.database != 0 {
		return nil, errors.New("want database 0, because a cluster of Redis has only this one")
	}
	return a, nil
}

func (a *address) readUser(text string) error {
	username, password, _ := strings.Cut(text, ":")
	var errs [2]error
	a.username, errs[0] = url.PathUnescape(username)
	a.password, errs[1] = url.PathUnescape(password)
	if errs[0] != nil || errs[1] != nil {
		return errors.New("the user or the password has a percent sign: write it as %25")
	}
	return nil
}

func (a *address) readHosts(authority, path string) error {
	if a.form == formSocket {
		if authority != "" || path == "" {
			return errors.New("want the path of a socket with three slashes: redis+unix:///run/redis.sock")
		}
		a.hosts = []string{"/" + path}
		return nil
	}
	port := "6379"
	if a.form == formSentinel {
		port = "26379"
	}
	for text := range strings.SplitSeq(authority, ",") {
		host, err := readHost(text, port)
		if err != nil {
			return err
		}
		a.hosts = append(a.hosts, host)
	}
	if a.form == formServer && len(a.hosts) > 1 {
		return errors.New("several hosts need redis+sentinel:// or redis+cluster://")
	}
	return nil
}

var hostSyntax = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// readHost reads HOST, HOST:PORT, [IPV6] or [IPV6]:PORT.
func readHost(text, port string) (string, error) {
	host, given, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
		given = port
	}
	number, errPort := strconv.ParseUint(given, 10, 16)
	_, errIP := netip.ParseAddr(host)
	if errIP != nil && !hostSyntax.MatchString(host) || errPort != nil || number == 0 {
		return "", errors.New("want HOST or HOST:PORT, and several with commas in between; in a password, " +
			"write / ? # and @ as %2F %3F %23 and %40")
	}
	return net.JoinHostPort(host, given), nil
}

func (a *address) readPath(path string) error {
	switch {
	case a.form == formSocket:
	case a.form == formSentinel:
		a.master = path
		if !prefixSyntax.MatchString(path) {
			return errors.New("want the name of the primary after the sentinels: redis+sentinel://HOST,HOST/NAME")
		}
	case path != "":
		number, err := strconv.ParseUint(path, 10, 16)
		if err != nil {
			return errors.New("want the number of a database after the host")
		}
		a.database = int(number)
	}
	return nil
}

// parameters are the names that a query can have.
var parameters = []string{
	"ca_file", "db", "persistence", "plaintext", "prefix", "sentinel_password", "sentinel_user", "wait", "wait_time",
}

func (a *address) readQuery(text string) error {
	query, err := url.ParseQuery(text)
	if err != nil {
		return errors.New("the part behind ? cannot be read")
	}
	for name, values := range query {
		if !slices.Contains(parameters, name) {
			return fmt.Errorf("a name behind ? is unknown: want %s", strings.Join(parameters, ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("%s appears twice behind ?", name)
		}
	}
	a.caFile = query.Get("ca_file")
	a.sentinelUsername = query.Get("sentinel_user")
	a.sentinelPassword = query.Get("sentinel_password")
	if a.caFile != "" && !a.isTLS {
		return errors.New("ca_file needs an encrypted connection: write rediss")
	}
	if query.Has("prefix") {
		a.prefix = query.Get("prefix")
		if !prefixSyntax.MatchString(a.prefix) {
			return errors.New("prefix: want at most 64 letters, digits, dots, hyphens and underscores")
		}
	}
	var errs [4]error
	a.plaintext, errs[0] = readWord(query, "plaintext", "yes")
	a.volatile, errs[1] = readWord(query, "persistence", "none")
	a.database, errs[2] = readNumber(query, "db", a.database, 65535)
	a.wait, errs[3] = readNumber(query, "wait", a.wait, 10)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if query.Has("wait_time") {
		a.waitTime, err = time.ParseDuration(query.Get("wait_time"))
		if err != nil || a.waitTime < time.Millisecond || a.waitTime > callTime-time.Second {
			return fmt.Errorf("wait_time: want a duration such as 500ms, at most %s", callTime-time.Second)
		}
	}
	return nil
}

// readWord reads a parameter that has one possible value.
func readWord(query url.Values, name, word string) (bool, error) {
	if query.Has(name) && query.Get(name) != word {
		return false, fmt.Errorf("%s: want %s, or leave it out", name, word)
	}
	return query.Has(name), nil
}

func readNumber(query url.Values, name string, otherwise, most int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	number, err := strconv.Atoi(query.Get(name))
	if err != nil || number < 0 || number > most {
		return 0, fmt.Errorf("%s: want a number from 0 to %d", name, most)
	}
	return number, nil
}
