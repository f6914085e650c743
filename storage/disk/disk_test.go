package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const mountinfo = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / /proc rw,nosuid shared:5 master:2 - proc proc rw
30 21 0:31 / /mnt rw - tmpfs tmpfs rw,size=40960k
31 30 8:17 /sub /mnt/a\040b\134c rw - ext4 /dev/sd\040b rw
32 21 0:40 / /srv rw - nfs4 server:/export rw
33 21 0:41 / /srv rw - tmpfs hides rw
broken line
34 21 0:42 - x
35
`

func TestFindMount(t *testing.T) {
	for path, want := range map[string][2]string{
		"/":                 {"/dev/vda", "/"},
		"/home/me":          {"/dev/vda", "/"},
		"/mnt":              {"tmpfs", "/mnt"},
		"/mnt/x":            {"tmpfs", "/mnt"},
		"/mntx":             {"/dev/vda", "/"},
		`/mnt/a b\c`:        {"/dev/sd b", `/mnt/a b\c`},
		`/mnt/a b\c/deep/x`: {"/dev/sd b", `/mnt/a b\c`},
		"/srv/sweep":        {"hides", "/srv"},
	} {
		device, mount := findMount(mountinfo, path)
		if device != want[0] || mount != want[1] {
			t.Errorf("%s: %s on %s, want %s on %s", path, device, mount, want[0], want[1])
		}
	}
	if device, mount := findMount("", "/x"); device != "" || mount != "" {
		t.Errorf("no mounts: %q on %q", device, mount)
	}
}

// Whatever the text, a mount that is found is one above the path.
func FuzzFindMount(f *testing.F) {
	f.Add(mountinfo, "/mnt/a b/c")
	f.Add(`1 1 0:1 / /\ - x \`, `/\`)
	f.Add(`1 1 0:1 / /\777\04 - x \0401`, `/`)
	f.Fuzz(func(t *testing.T, text, path string) {
		if _, mount := findMount(text, path); mount != "" && !within(path, mount) {
			t.Errorf("%q is not above %q", mount, path)
		}
	})
}

// What the system says of a real folder agrees with itself, also for one that is not there.
func TestOf(t *testing.T) {
	dir := t.TempDir()
	there, missing := Of(dir), Of(filepath.Join(dir, "a", "b"))
	if there.Dir != missing.Dir || there.Size != missing.Size || there.Mount != missing.Mount {
		t.Errorf("%+v and below it %+v", there, missing)
	}
	if runtime.GOOS == "linux" && (there.Free < 0 || there.Size < there.Free || there.Mount == "" || there.Device == "") {
		t.Errorf("%+v", there)
	}
	if !Same(dir, filepath.Join(dir, "x")) && runtime.GOOS != "windows" {
		t.Error("a folder and one below it are on two disks")
	}
}

func TestInfoText(t *testing.T) {
	for want, i := range map[string]Info{
		"the disk of /s (/dev/sda1 on /) has 0 B free of 1.82 TiB": {
			Dir: "/s", Device: "/dev/sda1", Mount: "/", Size: 2_000_398_934_016, Inodes: 5, Most: 9},
		"the disk of /s (tmpfs on /s) has 12.5 MiB free of 24 MiB, and no inode free of 9: it can take no more files": {
			Dir: "/s", Device: "tmpfs", Mount: "/s", Free: 25 << 19, Size: 24 << 20, Most: 9},
		"the disk of /s has 1023 B free of 1 KiB": {Dir: "/s", Free: 1023, Size: 1024},
		"the disk of /s": {Dir: "/s", Free: -1, Size: -1},
	} {
		if got := i.String(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// Explain names the disk once, and only for errors of a disk that takes no more.
func TestExplain(t *testing.T) {
	dir := t.TempDir()
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		err := fmt.Errorf("write x: %w", &fs.PathError{Op: "write", Path: "x", Err: errno})
		for range 2 {
			err = Explain(dir, err)
		}
		if !errors.Is(err, errno) || strings.Count(err.Error(), "the disk of ") != 1 {
			t.Errorf("%v", err)
		}
		full := &Error{Disk: Of(dir), Wanted: 1 << 18, Cause: errno}
		if got := Explain(dir, full); got != error(full) {
			t.Errorf("explained twice: %v", got)
		}
		if err.Error() != fmt.Sprintf("write x: write x: %v: %v; %s", errno, full.Disk, remedy(errno)) {
			t.Errorf("%v", err)
		}
		if full.Full() != (errno != syscall.EROFS) || !errors.Is(full, errno) {
			t.Errorf("%v: full %t", full, full.Full())
		}
	}
	for _, err := range []error{nil, fs.ErrPermission, syscall.EIO} {
		if got := Explain(dir, err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// A folder that takes a file has room, and nothing stays in it. One that refuses for
// another reason is not called full.
func TestProbe(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "missing")} {
		if err := Probe(d, 1<<10); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestLow(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		info Info
		want bool
	}{
		{Info{Free: -1, Size: -1, Inodes: -1, Most: -1}, false},
		{Info{Free: 5 * gib, Size: 100 * gib}, false},
		{Info{Free: 5*gib - 1, Size: 100 * gib}, true},
		{Info{Free: 10 * gib, Size: 5000 * gib}, false},
		{Info{Free: 10*gib - 1, Size: 5000 * gib}, true},
		{Info{Free: 0, Size: 1 << 20}, true},
		{Info{Free: 50 * gib, Size: 100 * gib, Inodes: 9, Most: 1000}, true},
		{Info{Free: 50 * gib, Size: 100 * gib, Inodes: 10, Most: 1000}, false},
		{Info{Free: 50 * gib, Size: 100 * gib, Inodes: 0, Most: 0}, false}, // as btrfs says
	} {
		if got := c.info.Low(); got != c.want {
			t.Errorf("%+v: %t", c.info, got)
		}
	}
}
