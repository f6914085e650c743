package stack_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// chaosSource is the source of the chaos sweep: a folder in the working directory of the process that opens it.
func chaosSource(*testing.T) string { return "/proc/self/cwd/acts" }

// disturbancesOfViews are those by a worker that sees other data than the others.
func (c *chaos) disturbancesOfViews() map[string]disturbance {
	return map[string]disturbance{
		"blind": &badWorker{name: "blind", dir: c.t.TempDir(), says: "/proc/self/cwd/acts"},
		"hung":  &hungRead{},
	}
}

// A hungRead is a worker whose data cannot be opened: the system call does not return, as on a network file system
// whose server is gone. The test has a lease on the file. So the kernel lets the worker wait until the test gives the
// lease back, or for the seconds in /proc/sys/fs/lease-break-time (45).
type hungRead struct {
	*process
	file *os.File
	hung bool // the worker waits, or has waited
	told bool // it was told to stop
}

func (h *hungRead) begin(c *chaos) {
	signal.Ignore(syscall.SIGIO) // the kernel says by it that somebody waits
	view := chaosView(c.t)
	var err error
	if h.file, err = os.OpenFile(filepath.Join(view, "acts", "a.npy"), os.O_RDWR, 0); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { h.file.Close() })
	if _, err := h.lease(syscall.F_SETLEASE, syscall.F_WRLCK); err != nil {
		c.t.Fatal("lease on a shard:", err)
	}
	h.process = c.startExtra("hung", view, c.prefix, "--stuck-after", "5s")
}

func (h *hungRead) lease(cmd, arg uintptr) (is uintptr, err error) {
	is, _, errno := syscall.Syscall(syscall.SYS_FCNTL, h.file.Fd(), cmd, arg)
	if errno != 0 {
		err = errno
	}
	return is, err
}

// over waits until the worker hangs and has noticed it, lets it go on, and ends it.
func (h *hungRead) over(c *chaos) bool {
	if !h.hung {
		is, err := h.lease(syscall.F_GETLEASE, 0)
		h.hung = err == nil && is != syscall.F_WRLCK // what is asked of the holder of the lease
	}
	if h.hung && !h.told && (h.ended() || h.logged(stuck)) {
		h.file.Close()
		h.signal(syscall.SIGTERM)
		h.told = true
	}
	return h.ended()
}

// stuck is in the log of a worker that has noticed that an attempt stands still.
const stuck = "no progress"

func (h *hungRead) check(c *chaos) {
	if !h.hung || !h.logged(stuck) {
		c.t.Errorf("the worker with the hung read: hung %v, and %q in its log: %v", h.hung, stuck, h.logged(stuck))
	}
}
