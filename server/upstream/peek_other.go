//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package upstream

// closedByPeer is not known here: a connection that the other end has closed is found when it is
// read.
func (c *countedConn) closedByPeer(bool) bool { return false }
