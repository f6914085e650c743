//go:build cuda

package cuda

import (
	"fmt"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A selection is a choice of the k largest pre-activations of each row.
type selection struct {
	k       int
	n       int        // latents to choose from
	names   driver.Ptr // their numbers, or 0: the whole dictionary
	allowed driver.Ptr // bytes, or 0
	zeros   bool
	out     kernels.Selected // of row 0
}

// choose encodes rows of centred and makes a selection.
func (m *model) choose(rows int, s selection) {
	room := kernels.Room(s.k, s.n)
	for from := 0; from < rows; from += m.z.rows {
		n := min(m.z.rows, rows-from)
		sieve := kernels.Candidates{
			Rows: n, K: s.k, Room: room, Bits: m.bits, Latents: m.latents, Count: m.count, Cutoffs: m.floors, Zeros: s.zeros,
		}
		for first := 0; first < s.n; first += m.z.chunk {
			m.chunk(sieve, s, from, first, min(m.z.chunk, s.n-first))
		}
		out := s.out
		at := 4 * int64(from) * int64(s.k)
		out.Acts, out.Latents = out.Acts.Add(at), out.Latents.Add(at)
		if out.Smallest != 0 {
			out.Smallest = out.Smallest.Add(4 * int64(from))
		}
		m.q.TopKFinish(sieve, out)
	}
}

// chunk multiplies rows from on by n latents from first on and sifts them.
func (m *model) chunk(sieve kernels.Candidates, s selection, from, first, n int) {
	in, w := m.centred, m.w.wEnc
	if m.z.bf16 {
		in, w = m.centredBF, m.encBF
	}
	rowBytes := 4 * m.z.d4 * m.precision.bytes
	bias, names := m.w.bEnc.Add(4*int64(first)), driver.Ptr(0)
	if s.names != 0 {
		names = s.names.Add(4 * int64(first))
		m.q.GatherLatents(kernels.GatherLatents{W: w, Bias: m.w.bEnc, Latents: names, N: n, Bytes: rowBytes, Out: m.gathered, OutBias: m.gatheredBias})
		w, bias = m.gathered, m.gatheredBias
	} else {
		w = w.Add(int64(first) * int64(rowBytes))
	}
	width := 4 * m.z.d4
	m.q.Do("product", func(q *driver.Stream) error {
		return m.blas.Gemm(q, driver.GemmSpec{
			TransA: true, M: n, N: sieve.Rows, K: width, A: w, LDA: width, B: in.Add(int64(from) * int64(rowBytes)), LDB: width,
			C: m.pre, LDC: m.z.chunk, TypeA: m.precision.in, TypeB: m.precision.in, Compute: m.precision.compute, Alpha: 1,
		})
	})
	m.q.TopKChunk(sieve, kernels.Chunk{Pre: m.pre, Stride: m.z.chunk, Bias: bias, First: first, N: n, Names: names, Allowed: s.allowed})
}

// Encode implements trainer.Model.
func (m *model) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	rows, count := len(x)/m.z.d, m.z.f
	if among != nil {
		if len(among) != m.z.f {
			return fmt.Errorf("encode: among has %d latents, the dictionary %d", len(among), m.z.f)
		}
		count = 0
		for _, ok := range among {
			if ok {
				count++
			}
		}
	}
	switch {
	case len(x) != rows*m.z.d:
		return fmt.Errorf("encode: %d values are not rows of width %d", len(x), m.z.d)
	case k < 1 || k > count:
		return fmt.Errorf("encode: k is %d, with %d latents to choose from", k, count)
	case len(acts) != rows*k || len(latents) != rows*k:
		return fmt.Errorf("encode: room for %d activations and %d latents, want %d", len(acts), len(latents), rows*k)
	}
	leave, err := m.b.dev.Enter()
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	defer leave()
	s := selection{k: k, n: m.z.f, zeros: true, out: kernels.Selected{Acts: m.acts, Latents: m.chosen, NaNRow: m.totals.Add(kernels.NaNRowOffset)}}
	if among != nil {
		s.allowed = m.allowed
		mask := make([]uint8, m.z.f)
		for f, ok := range among {
			if ok {
				mask[f] = 1
			}
		}
		m.upload(m.allowed, mask)
	}
	// As many rows at a time as the sieve and its output hold.
	most := min(m.z.rows, m.z.sieveKeys()/kernels.Room(k, m.z.f), m.z.chosen()/k)
	for from := 0; from < rows; from += most {
		n := min(most, rows-from)
		if err := m.encodeRows(s, x[from*m.z.d:(from+n)*m.z.d], acts[from*k:(from+n)*k], latents[from*k:(from+n)*k]); err != nil {
			if bad, ok := err.(badRow); ok {
				return &trainer.NumericError{Step: m.step, What: fmt.Sprintf("encode: the pre-activations of row %d hold a NaN", from+int(bad))}
			}
			return fmt.Errorf("encode: %w", err)
		}
	}
	return nil
}

// badRow is a row whose pre-activations hold a NaN.
type badRow int

func (b badRow) Error() string { return fmt.Sprintf("row %d holds a NaN", int(b)) }

func (m *model) encodeRows(s selection, x, acts []float32, latents []int32) error {
	rows := len(x) / m.z.d
	// The residual's place is free between steps.
	m.upload(m.residual, driver.Bytes(x))
	m.q.Zero(s.out.NaNRow, 4)
	m.q.Centre(kernels.Centre{X: m.residual, BDec: m.w.bDec, Out: m.centred, OutBF: m.centredBF, Rows: rows, D: m.z.d, D4: m.z.d4})
	m.choose(rows, s)
	m.download(driver.Bytes(acts), m.acts)
	m.download(driver.Bytes(latents), m.chosen)
	bad := []int32{0}
	m.download(driver.Bytes(bad), s.out.NaNRow)
	if err := m.q.Wait(); err != nil {
		return err
	}
	if bad[0] > 0 {
		return badRow(rows - int(bad[0]))
	}
	return nil
}
