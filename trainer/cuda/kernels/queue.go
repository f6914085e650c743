//go:build cuda

package kernels

import (
	"fmt"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A Queue puts operations on a stream. It keeps the first error and does nothing
// more after it, so that what uses it reads as a straight line.
type Queue struct {
	// Trace, where not nil, is called before each operation with its name, and
	// what it returns after it: for measurements.
	Trace func(name string) func()

	stream *driver.Stream
	set    Set
	err    error
}

// NewQueue returns a queue on a stream.
func NewQueue(set Set, s *driver.Stream) *Queue { return &Queue{stream: s, set: set} }

// Stream returns the stream.
func (q *Queue) Stream() *driver.Stream { return q.stream }

// Err returns the first error.
func (q *Queue) Err() error { return q.err }

// Do puts something else on the stream.
func (q *Queue) Do(name string, f func(s *driver.Stream) error) {
	if q.err != nil {
		return
	}
	if q.Trace != nil {
		defer q.Trace(name)()
	}
	q.err = f(q.stream)
}

// Wait waits until all is done and returns the first error.
func (q *Queue) Wait() error {
	if q.err == nil {
		q.err = q.stream.Synchronize()
	}
	return q.err
}

// Zero sets bytes to 0.
func (q *Queue) Zero(p driver.Ptr, bytes int64) {
	q.Do("fill", func(s *driver.Stream) error { return s.Fill8(p, 0, bytes) })
}

// Fill sets n 32-bit words.
func (q *Queue) Fill(p driver.Ptr, v uint32, n int) {
	q.Do("fill", func(s *driver.Stream) error { return s.Fill32(p, v, int64(n)) })
}

// need notes the first argument that is not as it must be.
func (q *Queue) need(ok bool, format string, a ...any) {
	if !ok && q.err == nil {
		q.err = fmt.Errorf("kernel "+format, a...)
	}
}

func (q *Queue) launch(kernel string, shape driver.Shape, args *driver.Args) {
	q.Do(kernel, func(s *driver.Stream) error { return s.Launch(q.set[kernel], shape, args) })
}

// Arguments, in the order of a kernel's parameters.
type (
	ptr = driver.Ptr
	i32 int
	i64 int64
	f64 float64
	f32 float32
)

func args(values ...any) *driver.Args {
	a := &driver.Args{}
	for _, v := range values {
		switch v := v.(type) {
		case ptr:
			a.Ptr(v)
		case i32:
			a.I32(int32(v))
		case i64:
			a.I64(int64(v))
		case f64:
			a.F64(float64(v))
		case f32:
			a.F32(float32(v))
		case bool:
			if v {
				a.I32(1)
			} else {
				a.I32(0)
			}
		default:
			panic(fmt.Sprintf("kernels: an argument of type %T", v))
		}
	}
	return a
}

func over(n, per int) int { return (n + per - 1) / per }

// linear is one thread for each of n, in blocks of threads.
func linear(n, threads int) driver.Shape { return driver.Linear(over(n, threads), threads, 0) }

// rows is one warp a row, four rows a block.
func rows(n int) driver.Shape {
	return driver.Shape{Grid: [3]uint32{uint32(over(n, warps))}, Block: [3]uint32{32, warps}}
}

// warps is how many rows or latents a block of one warp each takes
// (SIFT_WARPS, ORDER_WARPS).
const warps = 4

// A team is the threads that work on one row of D4 float4: Warps warps, each
// thread holding Each float4.
type team struct{ warps, each int }

// MaxD4 is the widest row that a team holds.
const MaxD4 = 32 * 32 * 4

func teamOf(d4 int) team {
	w := over(d4, 32*4)
	return team{warps: w, each: over(d4, 32*w)}
}

// shape is one team for each of n. Teams of one warp share blocks.
func (t team) shape(n int) driver.Shape {
	if t.warps == 1 {
		return rows(n)
	}
	return driver.Shape{Grid: [3]uint32{uint32(n)}, Block: [3]uint32{uint32(32 * t.warps)}}
}

// wide is the threads of a block that walks along n numbers.
func wide(n int) int { return min(256, 32*over(max(n, 1), 32)) }
