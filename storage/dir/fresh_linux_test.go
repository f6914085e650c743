//go:build amd64 || arm64

package dir_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/topksweep/sweep/storage"
)

// tmpfs has nothing but memory.
const tmpfs = 0x01021994

// After Fresh, a file is not in memory any more.
func TestFresh(t *testing.T) {
	root := t.TempDir()
	s := openAt(t, root)
	const size = 1 << 20
	if err := storage.PutBytes(t.Context(), s, "a/b", make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(root, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == tmpfs {
		t.Skip("a file system in memory")
	}
	if _, err := storage.ReadAll(t.Context(), s, "a/b", size); err != nil {
		t.Fatal(err)
	}
	before := inMemory(t, filepath.Join(root, "a", "b"), size)
	s.Fresh(t.Context(), "a/b")
	after := inMemory(t, filepath.Join(root, "a", "b"), size)
	if before == 0 || after > 0 {
		t.Errorf("%d pages are in memory before, and %d after", before, after)
	}
	s.Fresh(t.Context(), "none") // no more than that nothing happens
	if b, err := storage.ReadAll(t.Context(), s, "a/b", size); err != nil || len(b) != size {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// inMemory counts the pages of a file that the kernel has in memory.
func inMemory(t *testing.T, path string, size int) (pages int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(b)
	page := os.Getpagesize()
	in := make([]byte, (size+page-1)/page)
	_, _, errno := syscall.Syscall(syscall.SYS_MINCORE,
		uintptr(unsafe.Pointer(&b[0])), uintptr(size), uintptr(unsafe.Pointer(&in[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, p := range in {
		pages += int(p & 1)
	}
	return pages
}
