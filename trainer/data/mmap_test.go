//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package data

import (
	"errors"
	"github.com/topksweep/sweep/trainer/data/mapping"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Rows behind the end of a file that was cut short are an error, also those that stand in
// its last page, which reads as zeros there.
func TestCutShort(t *testing.T) {
	rows := tensorFile(t, 4, numbered(1, 3000, 4)) // its last column is never 0
	for _, size := range []int64{0, 1, 100, int64(len(rows)) - 8000, int64(len(rows)) - 17, int64(len(rows)) - 1} {
		path := write(t, t.TempDir(), "a.safetensors", rows)
		s := open(t, trainer.DataSpec{Source: path}, Options{})
		sh := &s.src.(*shards).list[0]
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 4)
		for row := range int64(3000) {
			err := readRows(s, row, x)
			if there := sh.start+(row+1)*16 <= size; there != (err == nil) {
				t.Fatalf("cut to %d, row %d: %v, %v", size, row, x, err)
			}
			if err != nil && (!errors.As(err, new(*ShardError)) || !strings.Contains(err.Error(), "cut short after")) {
				t.Fatalf("cut to %d, row %d: %v", size, row, err)
			}
		}
		if _, err := sh.hashRows(); !errors.Is(err, ErrBad) {
			t.Errorf("cut to %d: hashed with %v", size, err)
		}
	}
}

// A file that is deleted or replaced is read on as it was.
func TestDeletedFile(t *testing.T) {
	zero := make([]float32, 4*300)
	zero[0] = 1
	path := write(t, t.TempDir(), "a.safetensors", tensorFile(t, 4, zero))
	s := open(t, trainer.DataSpec{Source: path}, Options{})
	for _, change := range []func() error{
		func() error { return os.Remove(path) },
		func() error { return os.WriteFile(path, []byte("short"), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := readRows(s, 0, make([]float32, 4*300)); err != nil {
			t.Error(err)
		}
	}
}

// A page of a mapping that cannot be had is read from the file. If that fails as well,
// the error says how, and is not called bad data.
func TestPageFault(t *testing.T) {
	file := npyOf(t, 0, 100, 4)
	path := write(t, t.TempDir(), "a.npy", file)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	none, err := syscall.Mmap(-1, 0, len(file), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	openFile := func(name string) (shardFile, error) { return openPlain(name) }
	m := &mappedFile{path, info, int64(len(file)), &mapping.Mapping{Data: none}, openFile}
	defer m.Close()
	f := checkedFile{m, path}
	p := make([]byte, 64)
	if n, err := f.ReadAt(p, 200); n != 64 || err != nil || !slices.Equal(p, file[200:264]) {
		t.Errorf("read %d bytes: %v", n, err)
	}

	for _, e := range []error{syscall.EIO, syscall.ESTALE} {
		left := 0
		m.open = func(name string) (shardFile, error) {
			f, err := openPlain(name)
			return faultyFile{f, faultyOpener{left: &left, err: e}}, err
		}
		_, err = f.ReadAt(p, 200)
		read := (*ReadError)(nil)
		if !errors.As(err, &read) || *read != (ReadError{path, 200, e}) || errors.Is(err, ErrBad) {
			t.Errorf("%v became %v", e, err)
		}
	}

	m.open = openFile
	if err := os.Truncate(path, 210); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(p, 200); !errors.As(err, new(*ShardError)) || !errors.Is(err, ErrBad) {
		t.Errorf("cut short: %v", err)
	}
	if err := os.Rename(write(t, t.TempDir(), "b.npy", file), path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(p, 200); !errors.Is(err, errReplaced) || errors.Is(err, ErrBad) {
		t.Errorf("replaced: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(p, 200); !errors.As(err, new(*ReadError)) || errors.Is(err, ErrBad) {
		t.Errorf("gone: %v", err)
	}
}
