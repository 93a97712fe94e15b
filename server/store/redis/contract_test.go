package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/redis"
	"mcpentra/server/store/storetest"
)

// keepsContract runs the contract, with an empty store for each of its cases.
func keepsContract(t *testing.T, url func(t *testing.T) string) {
	storetest.Run(t, func(t *testing.T, config store.Config) store.Store {
		s, err := redis.Open(t.Context(), redis.Config{Config: config, URL: url(t)})
		require.NoError(t, err)
		return s
	})
}

func TestServerKeepsContract(t *testing.T) {
	t.Parallel()
	keepsContract(t, func(t *testing.T) string { return engine.Redis(t) })
}

func TestClusterKeepsContract(t *testing.T) {
	t.Parallel()
	server := engine.StartRedis(t, "cluster-enabled yes", "cluster-announce-ip 127.0.0.1", "appendfsync no")
	server.Run(t, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	server.Becomes(t, "cluster_state:ok", "CLUSTER", "INFO")
	keepsContract(t, func(*testing.T) string { return fresh("redis+cluster://" + server.Address()) })
	_, err := redis.Open(t.Context(), redis.Config{URL: "redis://" + server.Address()})
	assert.ErrorContains(t, err, "redis+cluster://")
}

func TestSentinelKeepsContract(t *testing.T) {
	t.Parallel()
	primary := engine.StartRedis(t, "min-replicas-to-write 1", "appendfsync no")
	primary.StartReplica(t, "appendfsync no")
	sentinel := primary.StartSentinel(t, time.Hour)
	url := "redis+sentinel://" + sentinel.Address() + "/primary?wait_time=4s"
	keepsContract(t, func(*testing.T) string { return fresh(url) })
}

// TestTLSAndACLUserKeepContract uses the rights that README.md names.
func TestTLSAndACLUserKeepContract(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	certificate := writeCertificate(t, folder)
	server := engine.StartRedis(t,
		"appendfsync no",
		"port 0",
		"tls-port PORT",
		"tls-cert-file "+certificate,
		"tls-key-file "+certificate,
		"tls-ca-cert-file "+certificate,
		"tls-auth-clients no",
		"user mcp on >hush/hush ~{own*}* -@all +@read +@write +@scripting +@connection +info +wait",
	)
	host := "rediss://mcp:hush%2Fhush@localhost:" + server.Port
	url := host + "/?ca_file=" + certificate
	keepsContract(t, func(*testing.T) string { return fresh(url) })

	for name, wrong := range map[string]string{
		"an unknown CA":    host + "?prefix=own",
		"another host":     strings.Replace(url, "localhost", "127.0.0.1", 1) + "&prefix=own",
		"a wrong password": strings.Replace(url, "%2F", "-", 1) + "&prefix=own",
		"a foreign key":    url + "&prefix=other",
		"no encryption":    strings.Replace(host, "rediss", "redis", 1) + "?prefix=own",
	} {
		_, err := redis.Open(t.Context(), redis.Config{URL: wrong})
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "hush", name)
	}
}

// writeCertificate writes a self-signed certificate of localhost and its key to one file.
func writeCertificate(t *testing.T, folder string) (file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	made := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file = filepath.Join(folder, "server.pem")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}
