package discovery_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/discovery"
)

// TestCheckAddressComparesReach names addresses from a public, a private and a loopback server.
func TestCheckAddressComparesReach(t *testing.T) {
	t.Parallel()
	servers := []netip.Addr{
		netip.MustParseAddr("93.184.215.14"),
		netip.MustParseAddr("10.0.0.6"),
		netip.MustParseAddr("127.0.0.1"),
	}
	for _, c := range []struct {
		reach     string
		first     int // index of the first server that may name the addresses
		addresses string
	}{
		{"public", 0, `
			8.8.8.8 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 198.17.255.255 198.20.0.1
			223.255.255.254 ::ffff:8.8.8.8
			2606:4700::1 2001:4860:4860::8888
			64:ff9b::808:808 2002:808:808::1 2606:4700::5efe:808:808`},
		{"private", 1, `
			10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 198.18.0.1
			198.19.255.255 ::ffff:10.0.0.1
			fc00::1 fd00::1 fec0::1 feff::1 fd00::1%eth0
			64:ff9b::a00:1 64:ff9b::a00:1%eth0
			64:ff9b:1::808:808 64:ff9b:1::a00:1 64:ff9b:1:fffe::a00:1
			2002:a00:1::1 2606:4700::5efe:a00:1 2606:4700::200:5efe:a00:1 fd00::5efe:808:808`},
		{"loopback", 2, `
			127.0.0.1 127.255.255.254 ::ffff:127.0.0.1 ::1 ::1%lo
			64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1::1 fd00::5efe:7f00:1`},
		{"unusable", 3, `
			0.0.0.0 0.1.2.3 169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200
			192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.51.100.1 203.0.113.1
			224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
			:: ::2 ::a00:1 ::808:808 ::ffff:0:a00:1 100::1 fe80::1 fe80::1%eth0 febf::1 ff02::1
			2001::1 2001:0:808:808::f7f7:f7f7 2001:0:808:808::f5ff:fffe
			2001:20::1 2001:db8::1 3fff::1 4000::1 5f00::1
			fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:c1::a9fe:a9fe
			64:ff9b::a9fe:a9fe 64:ff9b::a83f:8110 64:ff9b:1::a9fe:a9fe 64:ff9b:1:a9fe:a9:fe00::
			64:ff9b:1::a9:fea9:fe00:0 64:ff9b:2::1
			2002:a9fe:a9fe::1 2002:6464:64c8::1
			2606:4700::5efe:a9fe:a9fe fd00::200:5efe:a9fe:a9fe
			::ffff:169.254.169.254 ::ffff:100.100.100.200`},
	} {
		for text := range strings.FieldsSeq(c.addresses) {
			address := netip.MustParseAddr(text)
			for i, server := range servers {
				err := discovery.CheckAddress(address, server)
				assert.Equal(t, i >= c.first, err == nil, "%s %s from %s: %v", c.reach, text, server, err)
			}
			err := discovery.CheckAddress(address, netip.Addr{})
			assert.Equal(t, c.first == 0, err == nil, "%s %s from a name: %v", c.reach, text, err)
		}
	}
	assert.Error(t, discovery.CheckAddress(netip.Addr{}, servers[2]), "an invalid address")
}

// TestCheckAddressReadsServerAddress has servers whose own address embeds another one, or is
// unusable.
func TestCheckAddressReadsServerAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, address, server string
		passes                bool
	}{
		{"public server behind its network's translator", "10.0.0.1", "64:ff9b:1::808:808", false},
		{"public address by that translator", "64:ff9b:1::808:404", "64:ff9b:1::808:808", true},
		{"private address by that translator", "64:ff9b:1::a00:1", "64:ff9b:1::808:808", false},
		{"private server behind its network's translator", "10.0.0.1", "64:ff9b:1::a00:2", true},
		{"public server by 6to4", "10.0.0.1", "2002:808:808::1", false},
		{"private server by 6to4", "10.0.0.1", "2002:a00:2::1", true},
		{"link-local server", "10.0.0.1", "169.254.1.1", false},
		{"server at 0.0.0.0", "127.0.0.1", "0.0.0.0", false},
		{"IPv4-mapped loopback server", "127.0.0.1", "::ffff:127.0.0.1", true},
	} {
		err := discovery.CheckAddress(netip.MustParseAddr(c.address), netip.MustParseAddr(c.server))
		assert.Equal(t, c.passes, err == nil, "%s: %v", c.name, err)
	}
}

func TestCheckAddressNamesClass(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, text string }{
		{"169.254.1.1", "is not a public address but a link-local address (RFC 3927); no MCP server may name it"},
		{"fe80::1", "a link-local address (RFC 4291)"},
		{"224.0.0.1", "a multicast address (RFC 5771)"},
		{"ff02::1", "a multicast address (RFC 4291)"},
		{"100.100.100.200", "the address of Alibaba Cloud's metadata service"},
		{"127.0.0.1", "a loopback address (RFC 1122); only an MCP server at an address as near may name it"},
		{"10.0.0.1", "an address of a private network (RFC 1918); only an MCP server at an address as near"},
	} {
		err := discovery.CheckAddress(netip.MustParseAddr(c.address), netip.MustParseAddr("8.8.8.8"))
		assert.ErrorContains(t, err, c.text)
	}
}
