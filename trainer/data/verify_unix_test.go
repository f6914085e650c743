//go:build unix

package data

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// Writes to a shared mapping, as those of np.memmap, are found.
func TestVerifyMappedWrite(t *testing.T) {
	w := watchFiles(t)
	f, err := os.OpenFile(w.name(2), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, int(w.stamp(2).Size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Munmap(b)
	before := w.stamp(2)
	b[len(b)-1] ^= 1
	if w.stamp(2) == before {
		t.Skip("this file system does not show writes to mappings in a file's times")
	}
	b[len(b)-1] ^= 1
	w.wantTouched()
	b[len(b)-1] ^= 1 // the page is dirty: no time changes, but the last one is close
	w.wantChanged("2")
}

// A file that is cut short while it is in use is an error of whoever reads or looks.
func TestVerifyTruncated(t *testing.T) {
	w := watchFiles(t)
	if err := os.Truncate(w.name(1), 100); err != nil {
		t.Fatal(err)
	}
	w.wantChanged("1")
	w = watchFiles(t)
	if err := os.Truncate(w.name(1), 0); err != nil {
		t.Fatal(err)
	}
	if err := readRows(w.set, 60, make([]float32, 40)); err == nil {
		t.Error("rows of an empty file are read")
	}
	w.age(0, time.Minute)
	w.wantChanged("1")
}
