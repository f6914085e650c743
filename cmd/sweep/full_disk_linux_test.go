package main

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// mountVar in the environment makes a test the child of itself that has mounts of its own.
const mountVar = "SWEEP_TEST_MOUNT"

// withOwnMounts runs the rest of a test in a process that may mount file systems, which
// no other process sees. It returns false in the parent, where the test is then over.
// Where the system allows no mounts, the test is skipped.
func withOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountVar) != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Skipf("no mounts of our own here: %v", err)
		}
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mountVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, fs.ErrPermission) || strings.Contains(string(out), "--- SKIP"):
		t.Skipf("no mounts of our own here: %v\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// smallDisk mounts a disk of 32 MiB.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("no mounts of our own here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A filler fills a disk.
type filler struct{ name string }

// fill takes all that is free now.
func (f filler) fill(t *testing.T) {
	t.Helper()
	to, err := os.OpenFile(f.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		for block := make([]byte, 4096); err == nil; {
			_, err = to.Write(block)
		}
		to.Close()
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// fillUntil keeps a disk full, also when the program removes files, until the program
// says something more.
func (f filler) fillUntil(t *testing.T, p *program, line string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("until %q:\n%s", line, p.err.String())
		}
	})
	waitFor(t, line, func() bool {
		if len(p.done) > 0 {
			t.Fatalf("it ended before it said %q:\n%s", line, p.err.String())
		}
		f.fill(t)
		return strings.Contains(p.err.String(), line)
	})
}

func (f filler) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(f.name); err != nil {
		t.Fatal(err)
	}
}

// A sweep on whose disk there is no room any more, for its server and its store, says so
// and waits, ends at once when it is interrupted, and does not start without room. With
// room it goes on by itself, and ends with the table and the weights of an undisturbed
// one.
func TestFullDisk(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	const (
		full  = "no space left on device for 256 KiB: the disk of "
		waits = "; the server waits for that and goes on by itself"
	)
	g := writeGrid(t, smallGrid)
	undisturbed := t.TempDir()
	want := mustRun(t, undisturbed, "run", g, "--no-ui")

	dir := smallDisk(t)
	disk := filler{filepath.Join(dir, "fill")}
	p := startProgram(t, dir, "run", g, "--no-ui")
	waitFor(t, "a checkpoint", func() bool { return countManifests(t, dir) > 0 })
	disk.fillUntil(t, p, waits)
	p.Process.Signal(syscall.SIGINT)
	if status := p.exitStatus(t); status != exitInterrupted {
		t.Errorf("interrupted: status %d\n%s", status, p.err.String())
	}
	named := full + dir + " (tmpfs on " + dir + ") has "
	for _, line := range []string{named, "may not be saved", "stopped; the same command"} {
		if !strings.Contains(p.err.String(), line) {
			t.Errorf("interrupted, no %q in:\n%s", line, p.err.String())
		}
	}

	disk.fill(t)
	p = startProgram(t, dir, "up", "--no-ui")
	if status := p.exitStatus(t); status != exitError ||
		!strings.Contains(p.err.String(), "state directory: no space left on device for 4 MiB: the disk of "+dir) {
		t.Errorf("started on a full disk: status %d\n%s", status, p.err.String())
	}

	disk.free(t)
	p = startProgram(t, dir, "run", g, "--no-ui")
	waitFor(t, "training", func() bool { return strings.Contains(p.err.String(), "training ") || len(p.done) > 0 })
	disk.fillUntil(t, p, waits)
	disk.free(t)
	if status, got := p.exitStatus(t), p.out.String(); status != exitOK || got != want {
		t.Errorf("status %d\n%s%s\nundisturbed:\n%s", status, p.err.String(), got, want)
	}
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}

// A sweep whose store is full goes on training, says which disk it is, and stores what it
// has trained when there is room.
func TestFullStore(t *testing.T) {
	t.Parallel()
	if !withOwnMounts(t) {
		return
	}
	g := writeGrid(t, changed(t, smallGrid, "k: [2, 4], auxk_alpha: [0, 0.03125]", "k: [4]", "steps: 1500", "steps: 6000"))
	undisturbed := t.TempDir()
	want := mustRun(t, undisturbed, "run", g, "--no-ui")

	dir, store := t.TempDir(), smallDisk(t)
	if err := os.Symlink(store, filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	disk := filler{filepath.Join(store, "fill")}
	p := startProgram(t, dir, "run", g, "--no-ui")
	waitFor(t, "a claim", func() bool { // without it nothing is trained yet, and the attempt is made again
		claims, err := filepath.Glob(filepath.Join(store, "stages", "*", "claims", "*.json"))
		return err == nil && len(claims) > 0
	})
	disk.fillUntil(t, p, "; checkpoints and results wait for that")
	disk.fillUntil(t, p, "waiting for room in the store: no space left on device: the disk of "+store)
	disk.free(t)
	if status, got := p.exitStatus(t), p.out.String(); status != exitOK || got != want {
		t.Errorf("status %d\n%s%s\nundisturbed:\n%s", status, p.err.String(), got, want)
	}
	if strings.Contains(p.err.String(), "retrying") {
		t.Errorf("a stage was trained again:\n%s", p.err.String())
	}
	if !maps.Equal(readModels(t, dir), readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}

// Where the disk of the cache is full, rows are read from the objects, and what nobody uses any more makes room.
func TestFullDiskOfCache(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	disk := smallDisk(t)
	content := make([]byte, 24<<20)
	for i := range content {
		content[i] = byte(i >> 8)
	}
	fetched := 0
	fetch := func(p []byte, off int64) error {
		fetched++
		copy(p, content[off:])
		return nil
	}
	check := func(o *chunks.Object) {
		t.Helper()
		for off := int64(0); off < int64(len(content)); off += 1 << 20 {
			p := make([]byte, 1000)
			if _, err := o.ReadAt(p, off); err != nil || !bytes.Equal(p, content[off:][:1000]) {
				t.Fatalf("byte %d: %v", off, err)
			}
		}
	}
	first := chunks.New(disk, 1<<40).Object("first", int64(len(content)), false, fetch)
	check(first)
	second := chunks.New(disk, 1<<40).Object("second", int64(len(content)), false, fetch)
	check(second)
	check(first)
	first.Close()
	third := chunks.New(disk, 1<<40).Object("third", int64(len(content)), false, fetch)
	check(third) // finds the disk full
	fourth := chunks.New(disk, 24<<20).Object("third", int64(len(content)), false, fetch)
	fourth.Have(0, 8<<20)
	before := fetched
	if _, err := fourth.ReadAt(make([]byte, 1000), 1<<20); err != nil || fetched != before {
		t.Errorf("no room was made: %v", err)
	}
}
