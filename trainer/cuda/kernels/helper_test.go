//go:build cuda

package kernels

import (
	"testing"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// bench is a queue on the first GPU, and memory that goes with the test.
type bench struct {
	*Queue
	t   *testing.T
	dev *driver.Device
}

func newBench(t *testing.T) *bench {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	dev, err := driver.Open(0)
	must(err)
	leave, err := dev.Enter()
	must(err)
	set, err := Load(dev)
	must(err)
	s, err := dev.Stream()
	must(err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		leave()
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{NewQueue(set, s), t, dev}
}

type number interface {
	int32 | uint32 | int64 | float32 | float64 | uint8
}

// put copies numbers to the GPU.
func put[T number](b *bench, v []T) ptr {
	b.t.Helper()
	p, err := b.dev.Alloc(int64(len(driver.Bytes(v))))
	if err == nil {
		err = b.dev.Upload(p, driver.Bytes(v))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := b.dev.Free(p); err != nil {
			b.t.Error(err)
		}
	})
	return p
}

// room is memory for n numbers, of undefined content.
func room[T number](b *bench, n int) ptr {
	b.t.Helper()
	v := make([]T, n)
	for i := range driver.Bytes(v) {
		driver.Bytes(v)[i] = 0xff
	}
	return put(b, v)
}

// get waits for the queue and copies numbers back.
func get[T number](b *bench, p ptr, n int) []T {
	b.t.Helper()
	v := make([]T, n)
	err := b.Wait()
	if err == nil {
		err = b.dev.Download(driver.Bytes(v), p)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// uniform is the i-th of a stream of numbers in [0, 1).
func uniform(stream, i int) float64 { return trainer.Uniform(5, uint64(stream), uint64(i)) }

func bytesOf(v float32) []byte { return append([]byte(nil), driver.Bytes([]float32{v})...) }

func stepBytes(s Step) []uint8 {
	return append([]uint8(nil), unsafe.Slice((*uint8)(unsafe.Pointer(&s)), unsafe.Sizeof(s))...)
}
