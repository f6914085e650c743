//go:build !linux

package miniotest

import "testing"

// StartSmall skips the test: only Linux gives a process a disk of its own.
func StartSmall(t testing.TB, megabytes int) *Server {
	t.Helper()
	t.Skip("no disk of its own for the server")
	return nil
}
