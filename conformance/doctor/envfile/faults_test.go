package envfile_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra/directory"
)

// The faults of the deployments. Each func returns a change of a deployment or of its directory.

func none(*deployment) {}

func set(key, value string) func(*deployment) {
	return func(d *deployment) { d.set(key, value) }
}

func renamed(key, other string) func(*deployment) {
	return func(d *deployment) {
		for i, line := range d.lines {
			if rest, found := strings.CutPrefix(line, key+"="); found {
				d.lines[i] = other + "=" + rest
			}
		}
	}
}

func appWith(change func(*directory.App)) func(*directory.Directory) {
	return func(d *directory.Directory) { change(&d.Tenants[0].Apps[0]) }
}

func apiWith(change func(*directory.App)) func(*directory.Directory) {
	return func(d *directory.Directory) { change(&d.Tenants[0].Apps[1]) }
}

// direct changes to direct mode, and one more setting.
func direct(key, value string) func(*deployment) {
	return func(d *deployment) {
		d.direct()
		if key != "" {
			d.set(key, value)
		}
	}
}

// raw writes the settings file.
func raw(text string, mode os.FileMode) func(*deployment) {
	return func(d *deployment) { d.write(".env", text, mode) }
}

func windows(d *deployment) {
	d.write(".env", "\ufeff"+strings.Join(d.lines, "\r\n")+"\r\n", 0o644)
}

// credentialFile sets a file in place of the secret. Without a text there is no file.
func credentialFile(key, text string) func(*deployment) {
	return func(d *deployment) {
		d.set("AUTH_CLIENT_SECRET", "")
		d.set(key, "credential")
		if text != "" {
			d.write("credential", text, 0o600)
		}
	}
}

func certificate(until time.Time, isCurve bool) func(*deployment) {
	return func(d *deployment) {
		var key crypto.Signer
		var err error
		if isCurve {
			key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		} else {
			key, err = rsa.GenerateKey(rand.Reader, 2048)
		}
		require.NoError(d.t, err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: "mcp"},
			NotBefore:    now.AddDate(-1, 0, 0),
			NotAfter:     until,
		}
		made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(d.t, err)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(d.t, err)
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})) +
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}))
		credentialFile("AUTH_CERTIFICATE_FILE", text)(d)
	}
}

func federated(until time.Time) func(*deployment) {
	claims := fmt.Sprintf(`{"iss":"https://cluster.example","sub":"system:serviceaccount:mcp:default",`+
		`"aud":["api://AzureADTokenExchange"],"exp":%d}`, until.Unix())
	encoded := base64.RawURLEncoding.EncodeToString
	token := encoded([]byte(`{"alg":"RS256","kid":"a"}`)) + "." + encoded([]byte(claims)) + "." + encoded([]byte("x"))
	return credentialFile("AUTH_FEDERATED_TOKEN_FILE", token)
}

// storeServer sets a store at a port where nothing listens.
func storeServer(d *deployment) {
	d.set("STORE_URL", "postgres://u:"+hush+"@127.0.0.1:"+loopbacktest.Port(d.t)+"/x")
	d.set("MCP_KEYS_FILE", "store.keys")
	d.write("store.keys", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0o600)
}

// listeningStore sets a store that takes connections.
func listeningStore(d *deployment) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(d.t, err)
	d.t.Cleanup(func() { _ = listener.Close() })
	d.set("STORE_URL", "postgres://u:"+hush+"@"+listener.Addr().String()+"/x")
	d.set("MCP_KEYS_FILE", "store.keys")
	d.write("store.keys", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0o600)
}

// storeKeys makes a store, and its keys with this mode. Mode 0 makes none.
func storeKeys(mode os.FileMode) func(*deployment) {
	return func(d *deployment) {
		d.write("grants.db", "x", 0o600)
		if mode != 0 {
			d.write("grants.keys", hush, mode)
		}
	}
}

func adminSecret(d *deployment) {
	d.write("admin.secret", hush+hush+"\n", 0o644)
	d.set("MCP_ADMIN_ADDR", "localhost:8001")
	d.set("MCP_ADMIN_SECRET_FILE", "admin.secret")
}
