// Package loopbacktest reserves ports of this machine for tests.
package loopbacktest
