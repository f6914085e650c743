//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/driver"

// A transfer is the pinned memory through which other host memory is copied to and from the
// GPU. It has two halves: while the GPU copies one, the host copies the other.
type transfer struct {
	halves [2][]byte        // transferBytes each
	done   [2]*driver.Event // the GPU's last copy of a half
}

// transferBytes is the size of each half.
const transferBytes = 8 << 20

// upload copies any host memory to the GPU, in the stream's order. It returns when src may
// change.
func (m *model) upload(dst driver.Ptr, src []byte) {
	for i := 0; len(src) > 0; i++ {
		n := min(len(src), transferBytes)
		half, done := m.transfer.halves[i%2], m.transfer.done[i%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if err := done.Synchronize(); err != nil {
				return err
			}
			copy(half, src[:n])
			if err := s.Upload(dst, half[:n]); err != nil {
				return err
			}
			return done.Record(s)
		})
		dst, src = dst.Add(int64(n)), src[n:]
	}
}

// download copies from the GPU to any host memory, in the stream's order, and waits for it.
// In each turn the GPU starts to copy the next part to one half, and the host copies the part
// before it out of the other half.
func (m *model) download(dst []byte, src driver.Ptr) {
	var before []byte // where the part that is in the other half belongs
	for i := 0; len(dst) > 0 || before != nil; i++ {
		n := min(len(dst), transferBytes)
		half, done := m.transfer.halves[i%2], m.transfer.done[i%2]
		other, otherDone := m.transfer.halves[(i+1)%2], m.transfer.done[(i+1)%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if n > 0 {
				if err := s.Download(half[:n], src); err != nil {
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
			copy(before, other)
			return nil
		})
		before = nil
		if n > 0 {
			before, dst, src = dst[:n], dst[n:], src.Add(int64(n))
		}
	}
}

// uploadRows copies rows of width D to padded rows, and writes zeros to their padding.
func (m *model) uploadRows(dst driver.Ptr, src []float32) {
	d, width := m.z.d, m.z.width()
	if d == width {
		m.upload(dst, driver.Bytes(src))
		return
	}
	m.eachBlock(len(src)/d, func(first int, padded []float32) {
		for i := range len(padded) / width {
			row := padded[i*width : (i+1)*width]
			clear(row[copy(row, src[(first+i)*d:(first+i+1)*d]):])
		}
		m.upload(dst.Add(4*int64(first)*int64(width)), driver.Bytes(padded))
	})
}

// downloadRows copies padded rows to rows of width D.
func (m *model) downloadRows(dst []float32, src driver.Ptr) {
	d, width := m.z.d, m.z.width()
	if d == width {
		m.download(driver.Bytes(dst), src)
		return
	}
	m.eachBlock(len(dst)/d, func(first int, padded []float32) {
		m.download(driver.Bytes(padded), src.Add(4*int64(first)*int64(width)))
		for i := range len(padded) / width {
			copy(dst[(first+i)*d:(first+i+1)*d], padded[i*width:])
		}
	})
}

// eachBlock calls do for blocks of rows, with the number of the first row and with memory for
// the block's padded rows.
func (m *model) eachBlock(rows int, do func(first int, padded []float32)) {
	width := m.z.width()
	most := max(1, transferBytes/4/width)
	buf := make([]float32, min(rows, most)*width)
	for first := 0; first < rows; first += most {
		do(first, buf[:min(most, rows-first)*width])
	}
}
