//go:build cuda

package driver

import (
	_ "embed"
	"errors"
	"testing"
)

// open opens the first GPU for a test, and enters it.
func open(t *testing.T) *Device {
	t.Helper()
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := d.Enter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leave()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

//go:embed testdata/probe.ptx
var probe []byte

// axpy gives y += a·x to the stream.
func axpy(s *Stream, f Function, y, x Ptr, a float32, n int) error {
	var args Args
	args.Ptr(y).Ptr(x).F32(a).I32(int32(n))
	return s.Launch(f, Linear((n+127)/128, 128, 0), &args)
}

func TestLaunch(t *testing.T) {
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("axpy"))
	s := must[*Stream](t)(d.Stream())
	const n = 1000
	x, y := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i), 1
	}
	dx, dy := must[Ptr](t)(d.Alloc(4*n)), must[Ptr](t)(d.Alloc(4*n))
	check(t, d.Upload(dx, Bytes(x)), d.Upload(dy, Bytes(y)), axpy(s, f, dy, dx, 2, n), s.Synchronize(), d.Download(Bytes(y), dy))
	for i := range y {
		if y[i] != 1+2*float32(i) {
			t.Fatalf("y[%d] = %v", i, y[i])
		}
	}
	check(t, d.Free(dx), d.Free(dy), s.Close())
}
