//go:build linux && (amd64 || arm64)

package dir

import (
	"os"
	"syscall"
)

// dontNeed is POSIX_FADV_DONTNEED.
const dontNeed = 4

// dropCached makes the kernel forget what it has of a file in memory, so that the next
// read is one of the disk or of the file server. Pages that are not written yet stay.
func dropCached(f *os.File) {
	syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
}
