//go:build unix && !solaris && !aix

package chunks

import (
	"errors"
	"os"
	"syscall"
)

// lockedFile opens a file with a shared lock. It waits until it has the lock, and opens the file again if another one
// has its name by then.
func lockedFile(name string, flag int) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, flag, 0o644)
		if err != nil {
			return nil, err
		}
		if err := flock(f, syscall.LOCK_SH); err != nil {
			f.Close()
			return nil, err
		}
		if same(f, name) {
			return f, nil
		}
		f.Close()
	}
}

// tryLock locks a file alone, if nobody has a lock on it.
func tryLock(f *os.File) bool { return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) == nil }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// mostMaps is how many chunks a process may have mapped: each takes a descriptor, and one of Linux' 65,530 mappings.
func mostMaps() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 256
	}
	return int64(min(r.Cur/2, 60_000))
}
