package workstation

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Bounds of the search in /proc.
const (
	maxTable     = 4 << 20 // bytes of a table of sockets
	maxProcesses = 20_000
	maxOpenFiles = 20_000 // of one process
	listening    = "0A"   // the state in a table of sockets (include/net/tcp_states.h)
)

// portHolder returns the process that listens on a port, or 0. It reads Linux's tables of sockets
// (proc_net_tcp in the kernel's documentation).
func portHolder(root, address string, port uint16) (pid int, name string) {
	sockets := listeningSockets(root, address, port)
	if len(sockets) == 0 {
		return 0, ""
	}
	processes, err := os.ReadDir(filepath.Join(root, "proc"))
	if err != nil {
		return 0, ""
	}
	for _, process := range processes[:min(len(processes), maxProcesses)] {
		pid, err := strconv.Atoi(process.Name())
		if err != nil {
			continue
		}
		folder := filepath.Join(root, "proc", process.Name())
		if holdsSocket(folder, sockets) {
			name, _ := readBounded(filepath.Join(folder, "comm"), 64)
			return pid, strings.TrimSpace(string(name))
		}
	}
	return 0, ""
}

func holdsSocket(folder string, sockets []string) bool {
	files, err := os.ReadDir(filepath.Join(folder, "fd"))
	if err != nil {
		return false
	}
	for _, file := range files[:min(len(files), maxOpenFiles)] {
		target, err := os.Readlink(filepath.Join(folder, "fd", file.Name()))
		if err == nil && slices.Contains(sockets, target) {
			return true
		}
	}
	return false
}

// listeningSockets returns the sockets that listen on a port of an address, or of all addresses, as
// links in /proc name them.
func listeningSockets(root, address string, port uint16) []string {
	ip := net.ParseIP(address)
	table := "tcp6"
	wanted := []string{tableAddress(ip.To16()), tableAddress(net.IPv6unspecified)}
	if v4 := ip.To4(); v4 != nil {
		wanted = append(wanted, tableAddress(v4), tableAddress(net.IPv4zero.To4()))
		table = "tcp"
	}
	var sockets []string
	for _, name := range []string{table, "tcp6"} {
		text, err := readBounded(filepath.Join(root, "proc", "net", name), maxTable)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			host, hexPort, _ := strings.Cut(fields[1], ":")
			if hexPort == fmt.Sprintf("%04X", port) && slices.Contains(wanted, host) {
				sockets = append(sockets, "socket:["+fields[9]+"]")
			}
		}
	}
	return sockets
}

// tableAddress writes an address as the tables do: each group of four bytes in the machine's order,
// which is the little-endian one.
func tableAddress(ip net.IP) string {
	swapped := slices.Clone(ip)
	for group := range slices.Chunk(swapped, 4) {
		slices.Reverse(group)
	}
	return strings.ToUpper(hex.EncodeToString(swapped))
}
