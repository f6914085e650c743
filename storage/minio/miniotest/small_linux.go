package miniotest

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// StartSmall starts a server with a disk of some MiB, which lies in memory: Kill
// empties it. The test is skipped where mounting such a disk is not allowed.
func StartSmall(t testing.TB, megabytes int) *Server {
	t.Helper()
	s := &Server{t: t}
	s.wrap = func(cmd *exec.Cmd) {
		// In a mount namespace of its own, with all rights in there.
		mount := fmt.Sprintf(`mount -t tmpfs -o size=%dm tmpfs "$0" && exec "$@"`, megabytes)
		cmd.Args = append([]string{"sh", "-c", mount, s.Dir, s.exe}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
		if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
		}
	}
	s.start("http")
	return s
}
