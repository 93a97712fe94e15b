package discovery_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/discovery"
)

// TestAddressesThatAServerMayName holds an address against servers at three distances.
func TestAddressesThatAServerMayName(t *testing.T) {
	t.Parallel()
	near := []netip.Addr{
		netip.MustParseAddr("93.184.215.14"), netip.MustParseAddr("10.0.0.6"), netip.MustParseAddr("127.0.0.1"),
	}
	for from, addresses := range map[string]string{
		"everywhere": `8.8.8.8 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 198.17.255.255 198.20.0.1
			223.255.255.254 2606:4700::1 2001:4860:4860::8888 64:ff9b::808:808 2002:808:808::1 2606:4700::5efe:808:808
			::ffff:8.8.8.8`,
		"networks": `10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 198.18.0.1 198.19.255.255
			fc00::1 fd00::1 fec0::1 feff::1 64:ff9b::a00:1 64:ff9b:1::808:808 64:ff9b:1::a00:1 64:ff9b:1:fffe::a00:1
			2002:a00:1::1 2606:4700::5efe:a00:1 2606:4700::200:5efe:a00:1 fd00::5efe:808:808 ::ffff:10.0.0.1
			fd00::1%eth0 64:ff9b::a00:1%eth0`,
		"this machine": `127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::7f00:1 2002:7f00:1::1
			fd00::5efe:7f00:1 ::1%lo`,
		"nowhere": `0.0.0.0 0.1.2.3 169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.1 192.0.0.192
			192.0.2.1
			192.88.99.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
			:: ::2 ::a00:1 ::808:808 ::ffff:0:a00:1 100::1 fe80::1 fe80::1%eth0 febf::1 ff02::1
			2001::1 2001:0:808:808::f7f7:f7f7
			2001:0:808:808::f5ff:fffe 2001:20::1 2001:db8::1 3fff::1 4000::1 5f00::1
			fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:c1::a9fe:a9fe
			64:ff9b::a9fe:a9fe 64:ff9b::a83f:8110 64:ff9b:1::a9fe:a9fe 64:ff9b:1:a9fe:a9:fe00::
			64:ff9b:1::a9:fea9:fe00:0
			64:ff9b:2::1 2002:a9fe:a9fe::1 2002:6464:64c8::1 2606:4700::5efe:a9fe:a9fe fd00::200:5efe:a9fe:a9fe
			::ffff:169.254.169.254 ::ffff:100.100.100.200`,
	} {
		farthest := map[string]int{"everywhere": 0, "networks": 1, "this machine": 2, "nowhere": 3}[from]
		for text := range strings.FieldsSeq(addresses) {
			address := netip.MustParseAddr(text)
			for i, server := range near {
				err := discovery.CheckAddress(address, server)
				assert.Equal(t, i >= farthest, err == nil, "%s from %s: %v", text, server, err)
			}
			assert.Equal(t, farthest == 0, discovery.CheckAddress(address, netip.Addr{}) == nil, "%s from a name", text)
		}
	}
	assert.Error(t, discovery.CheckAddress(netip.Addr{}, near[2]), "no address at all")
}

// TestServersInSpecialPlaces has servers whose own address says more or less than it seems.
func TestServersInSpecialPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address, server string
		fine            bool
	}{
		"a public server behind its network's translator":  {"10.0.0.1", "64:ff9b:1::808:808", false},
		"what the same translator leads to":                {"64:ff9b:1::808:404", "64:ff9b:1::808:808", true},
		"a private address by the same translator":         {"64:ff9b:1::a00:1", "64:ff9b:1::808:808", false},
		"a private server behind its network's translator": {"10.0.0.1", "64:ff9b:1::a00:2", true},
		"a public server by 6to4":                          {"10.0.0.1", "2002:808:808::1", false},
		"a private server by 6to4":                         {"10.0.0.1", "2002:a00:2::1", true},
		"a server that is link-local":                      {"10.0.0.1", "169.254.1.1", false},
		"a server at no address":                           {"127.0.0.1", "0.0.0.0", false},
		"a server on loopback, mapped":                     {"127.0.0.1", "::ffff:127.0.0.1", true},
	} {
		err := discovery.CheckAddress(netip.MustParseAddr(c.address), netip.MustParseAddr(c.server))
		assert.Equal(t, c.fine, err == nil, "%s: %v", name, err)
	}
}
