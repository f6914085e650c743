package main

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/sweep/protocol"
)

// diskError is what a look at the disk of a folder finds.
func diskError(path string, errno syscall.Errno) error {
	return &disk.Error{Disk: disk.Info{Dir: path, Device: "tmpfs", Mount: "/m", Size: 24 << 20}, Wanted: 1, Cause: errno}
}

// A server whose disk is full is waited for without a limit, and the disk is named, now
// and then. One whose disk is read-only, or that is on another machine, is waited for as
// any other. The limit begins anew when there is room.
func TestWatchFullDisk(t *testing.T) {
	const (
		full      = "for 1 B: the disk of /state (tmpfs on /m) has 0 B free of 24 MiB; make room there"
		reminder  = "still waiting: no space left"
		roomAgain = "there is room again on the disk of /state"
		silent    = "the server does not answer"
	)
	one := &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 1}}
	two := &protocol.Progress{Summary: protocol.Summary{Cells: 2, Completed: 2}}
	for _, x := range []struct {
		name        string
		silent      [2]int // the polls from the first to before the second get no answer
		end         int    // poll at which the sweep is completed; 0 = never
		full        [2]time.Duration
		cause       syscall.Errno
		elsewhere   bool
		err         string
		least, most time.Duration
		lines       map[string]int
	}{
		{
			name: "full for long", silent: [2]int{2, 250}, end: 250, cause: syscall.ENOSPC,
			full:  [2]time.Duration{0, 18 * time.Minute},
			least: 15 * time.Minute, most: 25 * time.Minute,
			lines: map[string]int{full: 18, reminder: 17, roomAgain: 1, silent: 1, "the server answers again": 1},
		},
		{
			name: "quota", silent: [2]int{2, 100}, end: 100, cause: syscall.EDQUOT,
			full:  [2]time.Duration{0, 8 * time.Minute},
			least: 5 * time.Minute, most: 15 * time.Minute,
			lines: map[string]int{"disk quota exceeded": 8, "within the quota": 8, silent: 1, roomAgain: 1},
		},
		{
			name: "room, but the server never comes back", silent: [2]int{2, 1e6}, cause: syscall.ENOSPC,
			full: [2]time.Duration{0, 10 * time.Minute}, err: "no answer within 3m0s",
			least: 12 * time.Minute, most: 15 * time.Minute,
			lines: map[string]int{roomAgain: 1, silent: 1},
		},
		{
			name: "full after the server fell silent", silent: [2]int{2, 100}, end: 100, cause: syscall.ENOSPC,
			full:  [2]time.Duration{2 * time.Minute, 8 * time.Minute},
			least: 5 * time.Minute, most: 15 * time.Minute,
			lines: map[string]int{silent: 2, full: 6, reminder: 5, roomAgain: 1},
		},
		{
			name: "full, and the server answers", silent: [2]int{}, end: 700, cause: syscall.ENOSPC,
			full:  [2]time.Duration{time.Minute, 3 * time.Minute},
			least: 5 * time.Minute, most: 15 * time.Minute,
			lines: map[string]int{silent: 0, full: 2, reminder: 1, roomAgain: 1},
		},
		{
			name: "read-only", silent: [2]int{2, 1e6}, cause: syscall.EROFS,
			full: [2]time.Duration{0, time.Hour}, err: "no answer within 3m0s: read-only file system: the disk of /state",
			least: serverTimeout, most: serverTimeout + 3*pollTimeout,
			lines: map[string]int{"until then the server cannot go on": 1, silent: 1},
		},
		{
			name: "elsewhere", silent: [2]int{2, 1e6}, cause: syscall.ENOSPC, elsewhere: true,
			full: [2]time.Duration{0, time.Hour}, err: "no answer within 3m0s: context deadline exceeded",
			least: serverTimeout, most: serverTimeout + 3*pollTimeout,
			lines: map[string]int{"the disk of": 0, silent: 1},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			l, header := planWithResults(t, 1)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				fake := &fakeServer{
					describe: func(poll int) (enums.WorkflowExecutionStatus, error) {
						switch {
						case poll >= x.silent[0] && poll < x.silent[1]:
							return 0, errNoAnswer
						case x.end > 0 && poll >= x.end:
							return statusCompleted, nil
						}
						return statusRunning, nil
					},
					progress: func(poll int) *protocol.Progress {
						if x.end > 0 && poll >= x.end {
							return two
						}
						return one
					},
				}
				srv := &server{client: fake, alive: alwaysAlive}
				if !x.elsewhere {
					srv.folders = []folder{{path: "/state", server: true, probe: func(int64) error {
						if now := time.Since(began); now < x.full[0] || now >= x.full[1] {
							return nil
						}
						return diskError("/state", x.cause)
					}}}
				}
				var out bytes.Buffer
				_, err := watch(t.Context(), &environment{errOut: &out}, srv, l, header)
				if x.err == "" && err != nil || x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err)) {
					t.Errorf("error %v, want %q", err, x.err)
				}
				if took := time.Since(began); took < x.least || took > x.most {
					t.Errorf("took %v, want %v to %v", took, x.least, x.most)
				}
				for line, n := range x.lines {
					if got := strings.Count(out.String(), line); got != n {
						t.Errorf("%q came %d times, want %d:\n%s", line, got, n, out.String())
					}
				}
			})
		})
	}
}

// A disk that is full for one look is not worth a line while the server answers, and the
// store's disk is told apart from the server's.
func TestRoomWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := map[string]error{}
		var said []string
		folders := []folder{{path: "/state", server: true}, {path: "/store", store: true}}
		for i, f := range folders {
			folders[i].probe = func(int64) error { return errs[f.path] }
		}
		w := newRoomWatch(folders, func(line string) { said = append(said, line) })
		look := func(silent bool, want ...string) {
			t.Helper()
			said = nil
			w.look(silent)
			if len(said) != len(want) {
				t.Fatalf("said %q, want %q", said, want)
			}
			for i := range want {
				if !strings.Contains(said[i], want[i]) {
					t.Errorf("said %q, want %q", said[i], want[i])
				}
			}
			time.Sleep(roomInterval)
		}
		look(false)
		errs["/store"] = diskError("/store", syscall.ENOSPC)
		look(false)
		errs["/store"] = nil
		look(false)
		errs["/store"] = diskError("/store", syscall.ENOSPC)
		look(false)
		look(false, "the disk of /store (tmpfs on /m) has 0 B free")
		if w.full() {
			t.Error("a full store is taken for the server's disk")
		}
		errs["/state"] = diskError("/state", syscall.EROFS)
		look(true, "make it writable; until then the server cannot go on")
		if w.full() {
			t.Error("a read-only disk is taken for a full one")
		}
		errs["/state"] = nil
		look(false, "the disk of /state can be written again")
		errs["/state"] = errors.New("other")
		look(true, "other")
		if w.full() {
			t.Error("another error is taken for a full disk")
		}
		delete(errs, "/state")
		delete(errs, "/store")
		look(false, "the disk of /state can be written again", "room again on the disk of /store")
		look(true)
	})
}

// The store is a folder of its own only on a disk of its own.
func TestFoldersOf(t *testing.T) {
	dir := t.TempDir()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc, which is a disk of its own")
	}
	for _, x := range []struct {
		store string
		want  []folder
	}{
		{"", []folder{{path: dir, server: true, store: true}}},
		{"s3://bucket/x", []folder{{path: dir, server: true}}},
		{"/proc", []folder{{path: dir, server: true}, {path: "/proc", store: true}}},
	} {
		got := foldersOf(location{dir, x.store})
		if len(got) != len(x.want) {
			t.Errorf("%q: %+v", x.store, got)
			continue
		}
		for i, f := range got {
			if w := x.want[i]; f.path != w.path || f.server != w.server || f.store != w.store {
				t.Errorf("%q: %+v, want %+v", x.store, f, w)
			}
		}
	}
}
