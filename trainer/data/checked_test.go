package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// faultyOpener fails the reads of its files after the first left ones, all of them, or
// only those of one file.
type faultyOpener struct {
	opener
	only string // "" for all
	left *int
	err  error
	size int64 // what Stat says from then on, if not 0
}

type faultyFile struct {
	shardFile
	o faultyOpener
}

func (o faultyOpener) Open(ctx context.Context, name string) (shardFile, error) {
	f, err := o.opener.Open(ctx, name)
	if err != nil || o.only != "" && o.only != name {
		return f, err
	}
	return faultyFile{f, o}, nil
}

func (f faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if *f.o.left--; *f.o.left < 0 {
		return 0, f.o.err
	}
	return f.shardFile.ReadAt(p, off)
}

func (f faultyFile) Stat() (fs.FileInfo, error) {
	if f.o.size != 0 && *f.o.left < 0 {
		return memoryInfo(f.o.size), nil
	}
	return f.shardFile.Stat()
}

// A read that fails is nobody's fault, in whatever place; a file that is shorter is.
func TestFailedReads(t *testing.T) {
	m := memory{
		"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4)),
		"b.npy":         npyOf(t, 50, 10, 4),
		"c.npy":         npyOf(t, 50, 10, 4), // but for its last row, a copy
	}
	m["c.npy"][len(m["c.npy"])-16*5]++
	for _, tt := range []struct {
		name string
		err  error
		size int64
		is   error
		bad  bool
	}{
		{"EIO", syscall.EIO, 0, syscall.EIO, false},
		{"ESTALE", &fs.PathError{Op: "read", Path: "x", Err: syscall.ESTALE}, 0, syscall.ESTALE, false},
		{"EIO of a file cut short", syscall.EIO, 7, syscall.EIO, false},
		{"closed", os.ErrClosed, 0, os.ErrClosed, false},
		{"an end that is none", io.EOF, 0, io.ErrUnexpectedEOF, false},
		{"an unexpected end", io.ErrUnexpectedEOF, 0, io.ErrUnexpectedEOF, false},
		{"cut short", io.EOF, 7, nil, true},
		{"cut short unexpectedly", io.ErrUnexpectedEOF, 7, nil, true},
	} {
		fails := 0
		for n := 0; ; n++ {
			left := n
			files := faultyOpener{m, "", &left, tt.err, tt.size}
			s, err := openFrom(t.Context(), files, trainer.DataSpec{Source: "memory"}, Options{Workers: 1})
			if err == nil {
				err = errors.Join(s.Batch(1, 0, make([]float32, 4*20)), s.Eval(0, make([]float32, 4)),
					readRows(s, 0, make([]float32, 4)))
			}
			if err == nil {
				break
			}
			fails++
			read, shard := (*ReadError)(nil), (*ShardError)(nil)
			if tt.bad != errors.Is(err, ErrBad) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("%s, read %d: %v", tt.name, n, err)
			}
			switch {
			case tt.bad && (!errors.As(err, &shard) || !strings.Contains(err.Error(), "cut short after it was opened")):
				t.Fatalf("%s, read %d: %v", tt.name, n, err)
			case !tt.bad && (!errors.As(err, &read) || m[read.File] == nil || read.Offset < 0 ||
				!strings.Contains(err.Error(), fmt.Sprintf("read %s at byte %d: ", read.File, read.Offset))):
				t.Fatalf("%s, read %d: %v", tt.name, n, err)
			}
		}
		if fails < 100 {
			t.Errorf("%s: only %d reads", tt.name, fails)
		}
	}
}

// A shard that cannot be read makes the whole worth another try, whatever is wrong with
// the others.
func TestMixedErrors(t *testing.T) {
	m := memory{"a.npy": []byte("no array"), "b.npy": npyOf(t, 0, 10, 4), "c.npy": nil}
	left := 0
	files := faultyOpener{m, "b.npy", &left, syscall.EIO, 0}
	for _, workers := range []int{1, 4} {
		_, err := openFrom(t.Context(), files, trainer.DataSpec{Source: "memory"}, Options{Workers: workers})
		if errors.Is(err, ErrBad) || !errors.Is(err, syscall.EIO) || !errors.As(err, new(*ReadError)) {
			t.Errorf("%v", err)
		}
		for _, want := range []string{
			"shard a.npy: not a .npy file", "read b.npy at byte 0", "shard c.npy: the file is empty",
		} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%v\n\tdoes not say %q", err, want)
			}
		}
	}
	bad, fails := &ShardError{"x", "wrong"}, &ReadError{"y", 3, syscall.EIO}
	for _, tt := range []struct {
		errs []error
		bad  bool
	}{
		{[]error{bad}, true}, {[]error{bad, bad}, true}, {[]error{fails}, false}, {[]error{bad, fails}, false},
		{[]error{fails, bad, bad}, false},
		{[]error{bad, fmt.Errorf("x: %w", joinErrors([]error{bad, fails}))}, false},
	} {
		err := joinErrors(tt.errs)
		if errors.Is(err, ErrBad) != tt.bad || errors.As(err, new(*ReadError)) == tt.bad {
			t.Errorf("%v: bad is %v", err, !tt.bad)
		}
	}
}

func TestFileErrors(t *testing.T) {
	for err, want := range map[error][2]bool{ // ErrBad, ErrMissing
		syscall.ENOENT: {true, true}, syscall.EACCES: {true, true}, syscall.EPERM: {true, true},
		syscall.ENOTDIR: {true, true},
		syscall.ELOOP:   {true, false}, syscall.ENAMETOOLONG: {true, false},
		syscall.EIO: {}, syscall.ESTALE: {}, syscall.EMFILE: {}, syscall.ETIMEDOUT: {}, syscall.EINTR: {},
		syscall.ENOMEM: {},
	} {
		got := fileError("acts/a.npy", &fs.PathError{Op: "open", Path: "acts/a.npy", Err: err})
		if [2]bool{errors.Is(got, ErrBad), errors.Is(got, ErrMissing)} != want || !errors.Is(got, err) ||
			strings.Count(got.Error(), "acts/a.npy") != 1 {
			t.Errorf("%v became %v", err, got)
		}
	}
}
