package dir_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/disk"
)

// TestBadDisks runs on a file system that only the child process sees: first it gets
// full, then it is read-only, then it belongs to another user.
func TestBadDisks(t *testing.T) {
	cmd := child(t, "disk", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.Is(err, fs.ErrPermission) || errors.As(err, &exit) && strings.HasPrefix(string(out), "mount: ") {
		t.Skipf("no file system of our own here: %v %s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func badDisks(root string) error {
	// Only this process may see what is mounted here.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	ctx := context.Background()
	s, err := dir.Open(root)
	if err != nil {
		return err
	}
	if err := storage.PutBytes(ctx, s, "ckpt/old", make([]byte, 2<<20)); err != nil {
		return err
	}
	if err := disk.Probe(root, 256<<10); err != nil {
		return fmt.Errorf("a disk with room: %v", err)
	}
	if err := fullDisk(ctx, s, root); err != nil {
		return err
	}
	if err := noInodes(ctx, s, root); err != nil {
		return err
	}
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := storage.PutBytes(ctx, s, "ckpt/new", nil); !errors.Is(err, storage.ErrReadOnly) ||
		!errors.Is(err, syscall.EROFS) || !namesDisk(err, root, "read-only file system") {
		return fmt.Errorf("put on a read-only disk: %v", err)
	}
	var full *disk.Error
	if err := disk.Probe(root, 256<<10); !errors.As(err, &full) || full.Full() || !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("probe of a read-only disk: %v", err)
	}
	if b, err := storage.ReadAll(ctx, s, "ckpt/old", 8<<20); err != nil || len(b) != 2<<20 {
		return fmt.Errorf("get from a read-only disk: %d bytes, %v", len(b), err)
	}
	if _, err := dir.Open(root); err != nil { // reading results is allowed
		return err
	}
	if _, err := dir.Open(filepath.Join(root, "new")); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("open on a read-only disk: %v", err)
	}
	return noPermission(ctx, s, root)
}

// fullDisk writes more than the disk has: the error says so, the object that was
// there stays, nothing is left of the failed write, and smaller writes still work.
func fullDisk(ctx context.Context, s *dir.Store, root string) error {
	big := make([]byte, 3<<20)
	for range 5 { // failed writes leave nothing that fills the disk
		err := storage.PutBytes(ctx, s, "ckpt/old", big)
		if !errors.Is(err, storage.ErrNoSpace) || !strings.HasPrefix(err.Error(), "put ckpt/old: ") ||
			!strings.Contains(err.Error(), ": no space left on device after ") || !namesDisk(err, root, "0 B free of 4 MiB") {
			return fmt.Errorf("put on a full disk: %v", err)
		}
		if err := s.PutNew(ctx, "ckpt/new", big); !errors.Is(err, storage.ErrNoSpace) {
			return fmt.Errorf("putnew on a full disk: %v", err)
		}
	}
	objects, err := s.List(ctx, "")
	if err != nil || len(objects) != 1 || objects[0].Size != 2<<20 {
		return fmt.Errorf("after a full disk: %v, %v", objects, err)
	}
	if b, err := storage.ReadAll(ctx, s, "ckpt/old", 8<<20); err != nil || !bytes.Equal(b, make([]byte, 2<<20)) {
		return fmt.Errorf("get from a full disk: %d bytes, %v", len(b), err)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "+tmp")); err != nil || len(entries) > 0 {
		return fmt.Errorf("left %v, %v", entries, err)
	}
	if err := storage.PutBytes(ctx, s, "ckpt/small", make([]byte, 1<<20)); err != nil {
		return err
	}
	if err := disk.Probe(root, 256<<10); err != nil {
		return fmt.Errorf("a disk with 1 MiB of room: %v", err)
	}
	// What the program leaves free is no room if it is less than a small write needs.
	if err := os.WriteFile(filepath.Join(root, "fill"), make([]byte, 1<<20-8192), 0o600); err != nil {
		return err
	}
	if err := probeFull(root, "8 KiB free of 4 MiB"); err != nil {
		return err
	}
	return os.Remove(filepath.Join(root, "fill"))
}

// probeFull wants Probe to say that the disk is full, how, and which, and to leave nothing.
func probeFull(root, how string) error {
	err := disk.Probe(root, 256<<10)
	var full *disk.Error
	if !errors.As(err, &full) || !full.Full() || !errors.Is(err, syscall.ENOSPC) || !namesDisk(err, root, how) {
		return fmt.Errorf("probe of a full disk, %s: %v", how, err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "+probe*")); err != nil || len(left) > 0 {
		return fmt.Errorf("the probe left %v, %v", left, err)
	}
	return nil
}

// noInodes writes to a disk that has bytes but can take no more files.
func noInodes(ctx context.Context, s *dir.Store, root string) error {
	limit := func(n string) error { return syscall.Mount("", root, "", syscall.MS_REMOUNT, "size=4m,nr_inodes="+n) }
	if err := limit("8"); err != nil {
		return err
	}
	var err error
	for i := 0; err == nil && i < 8; i++ {
		err = storage.PutBytes(ctx, s, fmt.Sprintf("ckpt/%d", i), nil)
	}
	if !errors.Is(err, storage.ErrNoSpace) || !namesDisk(err, root, "no inode free of 8") {
		return fmt.Errorf("put on a disk without inodes: %v", err)
	}
	if err := probeFull(root, "no inode free of 8"); err != nil {
		return err
	}
	for i := range 8 {
		if err := s.Delete(ctx, fmt.Sprintf("ckpt/%d", i)); err != nil {
			return err
		}
	}
	return limit("0")
}

// namesDisk says that an error names the disk under root, and says what is the matter.
func namesDisk(err error, root, what string) bool {
	return strings.Contains(err.Error(), fmt.Sprintf("the disk of %s (tmpfs on %s)", root, root)) &&
		strings.Contains(err.Error(), what)
}

// noPermission drops root's rights, if it has them, and tries to use the store.
func noPermission(ctx context.Context, s *dir.Store, root string) error {
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT, ""); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(root, 0o755), os.Chmod(filepath.Join(root, "ckpt"), 0)); err != nil {
		return err
	}
	if err := syscall.Setuid(12345); err != nil {
		return nil // root in a user namespace of its own: there is no other user
	}
	if err := storage.PutBytes(ctx, s, "ckpt/new", nil); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("put without permission: %v", err)
	}
	if _, err := s.Get(ctx, "ckpt/old"); !errors.Is(err, fs.ErrPermission) || errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("get without permission: %v", err)
	}
	if _, err := s.List(ctx, "ckpt/"); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("list without permission: %v", err)
	}
	if _, err := dir.Open(root); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open without permission: %v", err)
	}
	return nil
}
