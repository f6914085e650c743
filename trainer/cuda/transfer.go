//go:build cuda

package cuda

import (
	"runtime"
	"sync"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A transfer is the pinned memory through which other host memory is copied to and from the
// GPU. It has two halves: while the GPU copies one, the host copies the other, on several
// goroutines: one core copies less than PCIe does.
type transfer struct {
	halves [2][]byte        // transferBytes each
	done   [2]*driver.Event // the GPU's last copy of a half
}

const (
	transferBytes = 8 << 20 // size of each half
	spanBytes     = 1 << 20 // the least that a goroutine copies
)

// upload copies any host memory to the GPU, in the stream's order. It returns when src may
// change.
func (m *model) upload(dst driver.Ptr, src []byte) {
	m.uploadItems(dst, len(src), 1, func(pinned []byte, from, to int) { copy(pinned, src[from:to]) })
}

// download copies from the GPU to any host memory, in the stream's order, and waits for it.
func (m *model) download(dst []byte, src driver.Ptr) {
	m.downloadItems(src, len(dst), 1, func(pinned []byte, from, to int) { copy(dst[from:to], pinned) })
}

// uploadRows copies rows of width D to padded rows, and writes zeros to their padding.
func (m *model) uploadRows(dst driver.Ptr, src []float32) {
	d, width := m.z.d, m.z.width()
	if d == width {
		m.upload(dst, driver.Bytes(src))
		return
	}
	m.uploadItems(dst, len(src)/d, 4*width, func(pinned []byte, from, to int) {
		padded := driver.View[float32](pinned)
		for i := from; i < to; i++ {
			row := padded[(i-from)*width : (i-from+1)*width]
			clear(row[copy(row, src[i*d:(i+1)*d]):])
		}
	})
}

// downloadRows copies padded rows to rows of width D.
func (m *model) downloadRows(dst []float32, src driver.Ptr) {
	d, width := m.z.d, m.z.width()
	if d == width {
		m.download(driver.Bytes(dst), src)
		return
	}
	m.downloadItems(src, len(dst)/d, 4*width, func(pinned []byte, from, to int) {
		padded := driver.View[float32](pinned)
		for i := from; i < to; i++ {
			copy(dst[i*d:(i+1)*d], padded[(i-from)*width:])
		}
	})
}

// uploadItems copies n items of size bytes each to the GPU. fill writes the items from to to-1
// to pinned memory; several goroutines call it.
func (m *model) uploadItems(dst driver.Ptr, n, size int, fill func(pinned []byte, from, to int)) {
	most := transferBytes / size
	for i, from := 0, 0; from < n; i, from = i+1, from+most {
		part, done := m.transfer.halves[i%2][:size*min(most, n-from)], m.transfer.done[i%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if err := done.Synchronize(); err != nil {
				return err
			}
			inSpans(part, from, size, fill)
			if err := s.Upload(dst.Add(int64(from)*int64(size)), part); err != nil {
				return err
			}
			return done.Record(s)
		})
	}
}

// downloadItems copies n items of size bytes each from the GPU, and waits for it. take reads the
// items from to to-1 from pinned memory; several goroutines call it. In each turn the GPU starts
// to copy the next part to one half, and the host takes the part before it from the other half.
func (m *model) downloadItems(src driver.Ptr, n, size int, take func(pinned []byte, from, to int)) {
	most := transferBytes / size
	var before []byte // the part in the other half
	for i, from := 0, 0; from < n || before != nil; i, from = i+1, from+most {
		part, done := m.transfer.halves[i%2][:size*max(0, min(most, n-from))], m.transfer.done[i%2]
		otherDone := m.transfer.done[(i+1)%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if len(part) > 0 {
				if err := s.Download(part, src.Add(int64(from)*int64(size))); err != nil {
					return err
				}
				if err := done.Record(s); err != nil {
					return err
				}
			}
			if before == nil {
				return nil
			}
			if err := otherDone.Synchronize(); err != nil {
				return err
			}
			inSpans(before, from-most, size, take)
			return nil
		})
		before = nil
		if len(part) > 0 {
			before = part
		}
	}
}

// inSpans cuts a part, which holds items from first on, into spans of whole items, and calls do
// for each: from several goroutines where the part is large.
func inSpans(part []byte, first, size int, do func(pinned []byte, from, to int)) {
	n := len(part) / size
	spans := max(1, min(runtime.GOMAXPROCS(0), n, len(part)/spanBytes))
	var wg sync.WaitGroup
	for i := range spans {
		from, to := n*i/spans, n*(i+1)/spans
		span := func() { do(part[from*size:to*size], first+from, first+to) }
		if i == spans-1 {
			span()
		} else {
			wg.Go(span)
		}
	}
	wg.Wait()
}
