//go:build cuda

package kernels

import (
	"fmt"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A Queue puts operations on a stream. It keeps the first error and does nothing after it,
// so that code which uses it needs no error check at each line.
type Queue struct {
	// Trace, where not nil, is called with the name of each operation before it is put on
	// the stream. The function that it returns is called after that. It is for measurements.
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

// Do puts on the stream what f puts there, unless there was an error.
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

// Fill sets n words of 32 bits to v.
func (q *Queue) Fill(p driver.Ptr, v uint32, n int) {
	q.Do("fill", func(s *driver.Stream) error { return s.Fill32(p, v, int64(n)) })
}

// require records an error where an argument is not as it must be.
func (q *Queue) require(ok bool, format string, a ...any) {
	if !ok && q.err == nil {
		q.err = fmt.Errorf("kernel "+format, a...)
	}
}

func (q *Queue) launch(kernel string, grid driver.Grid, args ...driver.Arg) {
	q.Do(kernel, func(s *driver.Stream) error { return s.Launch(q.set[kernel], grid, args...) })
}

// The types of arguments, under short names.
type (
	ptr = driver.Ptr
	i32 = driver.I32
	i64 = driver.I64
	f32 = driver.F32
	f64 = driver.F64
)

// flag is a bool as kernels take it.
func flag(b bool) i32 {
	if b {
		return 1
	}
	return 0
}
