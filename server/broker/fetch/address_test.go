package fetch_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/broker/fetch"
)

// TestCheckAddress has each range, and each way to write an IPv4 address as IPv6.
func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1",
		"3fff::1", "100::1", "4000::1", "2001:2::1", "2001:20::1",
		"::ffff:10.0.0.1", "::ffff:127.0.0.1", // mapped
		"::10.0.0.1", "::8.8.8.8", // compatible
		"64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::10.0.0.1", "64:ff9b:1::8.8.8.8", // NAT64
		"2002:0a00:0001::1", "2002:7f00:1::", "2002:0808:0808::1", // 6to4
		"2001:0:4136:e378:8000:63bf:3fff:fdd2",                        // Teredo
		"2a00:1450::5efe:10.0.0.1", "2a00:1450::200:5efe:192.168.0.1", // ISATAP
	} {
		assert.Error(t, fetch.CheckAddress(netip.MustParseAddr(address)), address)
	}
	assert.Error(t, fetch.CheckAddress(netip.Addr{}), "no address")
	for _, address := range []string{
		"8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.255", "2a00:1450::1",
		"2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2a00:1450::5efe:8.8.8.8",
	} {
		assert.NoError(t, fetch.CheckAddress(netip.MustParseAddr(address)), address)
	}
}
