package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadClientKey(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(text []byte, mode os.FileMode) string {
		file, err := os.CreateTemp(folder, "")
		require.NoError(t, err)
		_, err = file.Write(text)
		require.NoError(t, err)
		require.NoError(t, file.Chmod(mode))
		require.NoError(t, file.Close())
		return file.Name()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	whole := jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: "ES256"}
	private, err := whole.MarshalJSON()
	require.NoError(t, err)
	public := whole.Public()
	published, err := public.MarshalJSON()
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	read, err := readClientKey(write(private, 0o600))
	require.NoError(t, err)
	assert.True(t, key.Equal(read.Key))
	assert.Equal(t, []string{"k", "ES256"}, []string{read.KeyID, read.Algorithm})
	read, err = readClientKey(write(inPEM, 0o400))
	require.NoError(t, err)
	assert.True(t, key.Equal(read.Key))
	assert.Empty(t, read.KeyID)

	for _, test := range []struct {
		text []byte
		want string
	}{
		{published, "want the private key"},
		{[]byte("{}"), "want a private key as a JWK or in PEM"},
		{[]byte("-----BEGIN NOTHING-----"), "want the private key"},
		{nil, "want a secret, got an empty file"},
	} {
		_, err := readClientKey(write(test.text, 0o600))
		assert.ErrorContains(t, err, test.want)
	}
	if runtime.GOOS != "windows" {
		_, err = readClientKey(write(private, 0o640))
		assert.ErrorContains(t, err, "want a file that only its owner can read, got mode 0640")
	}
	_, err = readClientKey(filepath.Join(folder, "missing"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
