//go:build cuda

package cuda

import "github.com/topksweep/sweep/trainer/cuda/driver"

// upload copies any host memory to the GPU, in the stream's order, through the
// two pinned buffers: while one is on its way, the other is filled.
func (m *model) upload(dst driver.Ptr, src []byte) {
	for i := 0; len(src) > 0; i++ {
		n := min(len(src), stagingBytes)
		half := m.staging[i%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if err := m.staged[i%2].Synchronize(); err != nil {
				return err
			}
			copy(half, src[:n])
			if err := s.Upload(dst, half[:n]); err != nil {
				return err
			}
			return m.staged[i%2].Record(s)
		})
		dst, src = dst.Add(int64(n)), src[n:]
	}
}

// download copies from the GPU to any host memory, in the stream's order, and
// waits for it: while one half is copied out of the pinned buffers, the next is
// on its way.
func (m *model) download(dst []byte, src driver.Ptr) {
	var before []byte // where the copy on its way belongs
	for i := 0; len(dst) > 0 || before != nil; i++ {
		n := min(len(dst), stagingBytes)
		half, other := m.staging[i%2], m.staging[(i+1)%2]
		m.q.Do("copy", func(s *driver.Stream) error {
			if n > 0 {
				if err := s.Download(half[:n], src); err != nil {
					return err
				}
				if err := m.staged[i%2].Record(s); err != nil {
					return err
				}
			}
			if before == nil {
				return nil
			}
			if err := m.staged[(i+1)%2].Synchronize(); err != nil {
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

// uploadRows copies rows of width d to rows of width 4·D4, whose padding is 0
// already.
func (m *model) uploadRows(dst driver.Ptr, src []float32) {
	if m.z.d == 4*m.z.d4 {
		m.upload(dst, driver.Bytes(src))
		return
	}
	m.eachRows(len(src)/m.z.d, func(first int, padded []float32) {
		for i := range len(padded) / (4 * m.z.d4) {
			row := padded[i*4*m.z.d4 : (i+1)*4*m.z.d4]
			clear(row[copy(row, src[(first+i)*m.z.d:(first+i+1)*m.z.d]):])
		}
		m.upload(dst.Add(16*int64(first)*int64(m.z.d4)), driver.Bytes(padded))
	})
}

// downloadRows is uploadRows the other way.
func (m *model) downloadRows(dst []float32, src driver.Ptr) {
	if m.z.d == 4*m.z.d4 {
		m.download(driver.Bytes(dst), src)
		return
	}
	m.eachRows(len(dst)/m.z.d, func(first int, padded []float32) {
		m.download(driver.Bytes(padded), src.Add(16*int64(first)*int64(m.z.d4)))
		for i := range len(padded) / (4 * m.z.d4) {
			copy(dst[(first+i)*m.z.d:(first+i+1)*m.z.d], padded[i*4*m.z.d4:])
		}
	})
}

// eachRows calls do for blocks of rows with room for them at full width.
func (m *model) eachRows(rows int, do func(first int, padded []float32)) {
	width := 4 * m.z.d4
	most := max(1, stagingBytes/4/width)
	buf := make([]float32, min(rows, most)*width)
	for first := 0; first < rows; first += most {
		do(first, buf[:min(most, rows-first)*width])
	}
}
