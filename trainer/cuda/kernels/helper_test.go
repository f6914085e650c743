//go:build cuda

package kernels

import (
	"testing"
	"unsafe"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A gpu is a queue on the first GPU. Memory that a test takes on it is freed with the test.
type gpu struct {
	*Queue
	t   *testing.T
	dev *driver.Device
}

func newGPU(t *testing.T) *gpu {
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
	return &gpu{NewQueue(set, s), t, dev}
}

type number interface {
	int32 | uint32 | int64 | float32 | float64 | uint16 | uint8
}

// put copies numbers to memory on the GPU.
func put[T number](b *gpu, v []T) ptr {
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

// room allocates memory on the GPU for n numbers. All bytes are 0xff: NaN, or −1.
func room[T number](b *gpu, n int) ptr {
	b.t.Helper()
	v := make([]T, n)
	for i := range driver.Bytes(v) {
		driver.Bytes(v)[i] = 0xff
	}
	return put(b, v)
}

// get waits for the queue and copies n numbers from the GPU.
func get[T number](b *gpu, p ptr, n int) []T {
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

// uniform returns the i-th number of a random stream, in [0, 1).
func uniform(stream, i int) float64 { return trainer.Uniform(5, uint64(stream), uint64(i)) }

// bytesOf returns a copy of the memory of a struct.
func bytesOf[T StepInput | StepTotals](v T) []uint8 {
	return append([]uint8(nil), unsafe.Slice((*uint8)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...)
}

// getTotals copies a step's totals from the GPU.
func getTotals(b *gpu, p ptr) StepTotals {
	b.t.Helper()
	bytes := get[uint8](b, p, int(StepTotalsBytes))
	return *(*StepTotals)(unsafe.Pointer(unsafe.SliceData(bytes)))
}
