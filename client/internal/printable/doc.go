// Package printable prepares text of servers for errors and terminals.
package printable
