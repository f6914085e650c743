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

//go:embed testdata/ptx/probe.ptx
var probe []byte

// axpy puts y += a·x on the stream, for n numbers.
func axpy(s *Stream, f Function, y, x Ptr, a float32, n int) error {
	return s.Launch(f, Linear((n+127)/128, 128), y, x, F32(a), I32(n))
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
	check(t, d.Upload(dx, Bytes(x)), d.Upload(dy, Bytes(y)))
	check(t, axpy(s, f, dy, dx, 2, n), s.Synchronize(), d.Download(Bytes(y), dy))
	for i := range y {
		if y[i] != 1+2*float32(i) {
			t.Fatalf("y[%d] = %v", i, y[i])
		}
	}
	check(t, d.Free(dx), d.Free(dy), s.Close())
}

func TestArguments(t *testing.T) {
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("arguments"))
	s := must[*Stream](t)(d.Stream())
	got := make([]float64, 4)
	out := must[Ptr](t)(d.Alloc(int64(len(Bytes(got)))))
	check(t, s.Launch(f, Linear(1, 1), out, I32(-7), I64(-1<<40), F32(0.5), F64(0.1)))
	check(t, s.Synchronize(), d.Download(Bytes(got), out), d.Free(out), s.Close())
	for i, want := range []float64{-7, -1 << 40, 0.5, 0.1} {
		if got[i] != want {
			t.Errorf("argument %d: %v, want %v", i, got[i], want)
		}
	}
}

func TestGrid(t *testing.T) {
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("indices"))
	s := must[*Stream](t)(d.Stream())
	grid := Grid{Blocks: [3]uint32{2, 3, 2}, Threads: [3]uint32{5, 3, 2}}
	const n = 12 * 30
	out := must[Ptr](t)(d.Alloc(4 * n))
	got := make([]int32, n)
	check(t, s.Fill8(out, 0xff, 4*n), s.Launch(f, grid, out), s.Synchronize())
	check(t, d.Download(Bytes(got), out), d.Free(out), s.Close())
	for i := range got {
		if got[i] != int32(i) {
			t.Fatalf("thread %d: %d", i, got[i])
		}
	}
}

func TestWarpFunctions(t *testing.T) {
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("warp_functions"))
	s := must[*Stream](t)(d.Stream())
	wrong := must[Ptr](t)(d.Alloc(4))
	got := []int32{-1}
	check(t, s.Fill32(wrong, 0, 1), s.Launch(f, Linear(3, 64), wrong), s.Synchronize())
	check(t, d.Download(Bytes(got), wrong), d.Free(wrong), s.Close())
	if got[0] != 0 {
		t.Errorf("%d lanes are wrong", got[0])
	}
}

// A kernel may use more than 48 KB of shared memory only after AllowShared.
func TestShared(t *testing.T) {
	d := open(t)
	m := must[*Module](t)(d.Load(probe))
	f := must[Function](t)(m.Function("sound_barrier"))
	s := must[*Stream](t)(d.Stream())
	x := must[Ptr](t)(d.Alloc(4 * 64))
	grid := Linear(1, 64)
	grid.Shared = 100 << 10
	if err := s.Launch(f, grid, x); err == nil {
		t.Error("no error for 100 KB of shared memory without AllowShared")
	}
	numbers := make([]int32, 64)
	for i := range numbers {
		numbers[i] = int32(i)
	}
	check(t, d.Upload(x, Bytes(numbers)), f.AllowShared(100<<10), s.Launch(f, grid, x), s.Synchronize())
	check(t, d.Download(Bytes(numbers), x), d.Free(x), s.Close())
	for i := range numbers {
		if numbers[i] != int32(63-i) {
			t.Fatalf("number %d: %d", i, numbers[i])
		}
	}
	if err := f.AllowShared(d.Info().Shared + 1); err == nil {
		t.Error("no error for more shared memory than the device has")
	}
	if _, err := m.Function("nothing"); err == nil {
		t.Error("no error for a kernel that does not exist")
	}
	check(t, m.Close())
}

func TestBadPTX(t *testing.T) {
	d := open(t)
	if _, err := d.Load([]byte("this is no PTX")); err == nil {
		t.Error("no error")
	}
}

func TestOutOfMemory(t *testing.T) {
	d := open(t)
	before, total, err := d.Memory()
	check(t, err)
	_, err = d.Alloc(2 * total)
	var oom *OutOfMemory
	if !errors.As(err, &oom) || oom.Need != 2*total || oom.Free <= 0 || oom.Free > total {
		t.Errorf("%v", err)
	}
	// The device still works.
	p := must[Ptr](t)(d.Alloc(1 << 20))
	check(t, d.Free(p), d.Free(0))
	if after, _, _ := d.Memory(); after < before {
		t.Errorf("%d bytes free, %d before", after, before)
	}
}

// TestStreamsAndGraphs runs copies on one stream and a graph on another, which wait for
// each other by events. The graph must read pinned memory when it is launched, and not
// when it is captured.
func TestStreamsAndGraphs(t *testing.T) {
	d := open(t)
	f := must[Function](t)(must[*Module](t)(d.Load(probe)).Function("axpy"))
	copies, work := must[*Stream](t)(d.Stream()), must[*Stream](t)(d.Stream())
	copied, used := must[*Event](t)(d.Event()), must[*Event](t)(d.Event())
	const n = 4096
	in, out := must[[]byte](t)(d.Pinned(4*n)), must[[]byte](t)(d.Pinned(4*n))
	x, y := must[Ptr](t)(d.Alloc(4*n)), must[Ptr](t)(d.Alloc(4*n))
	check(t, work.Fill32(y, 0, n))
	graph := must[*Graph](t)(work.Capture(func() error {
		return errors.Join(axpy(work, f, y, x, 1, n), work.Copy(x, y, 4*n), work.Download(out, y))
	}))
	for step := range 5 {
		numbers := View[float32](in)
		for i := range numbers {
			numbers[i] = float32(step)
		}
		check(t, copies.Wait(used), copies.Upload(x, in), copied.Record(copies))
		check(t, work.Wait(copied), graph.Launch(work), used.Record(work), copied.Synchronize())
	}
	check(t, work.Synchronize())
	seconds, err := used.Elapsed(copied)
	check(t, err)
	if !(seconds > 0) {
		t.Errorf("the last sum was done %v s after its copy, want more than 0", seconds)
	}
	for i, v := range View[float32](out) {
		if v != 0+1+2+3+4 {
			t.Fatalf("number %d: %v", i, v)
		}
	}
	check(t, graph.Close(), d.FreePinned(in), d.FreePinned(out), d.Free(x), d.Free(y))
	check(t, copied.Close(), used.Close(), copies.Close(), work.Close())
	failure := errors.New("record failed")
	if _, err := must[*Stream](t)(d.Stream()).Capture(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("Capture returned %v, want the error of record", err)
	}
}
