//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A selection asks for the k largest pre-activations of each row.
type selection struct {
	k       int
	among   int        // latents that take part
	allowed driver.Ptr // [F] bytes: 0 leaves a latent out; address 0: none is left out
	zeros   bool       // zeros may be selected
	again   bool       // of the rows of the last selection, whose products are used again where they are there
	out     kernels.Selected
}

// topK makes a selection for the first rows of centred, a block of rows at a time: first their
// products in float16, then the selection (kernels/screen.cu).
func (m *model) topK(rows int, s selection) {
	z := m.z
	group := kernels.GroupFor(s.k, s.among, z.f)
	room := kernels.Room(s.k, z.f)
	// As many rows at a time as there is room for, of bounds and of candidates.
	most := min(z.rows, z.bounds/(z.fPad/group), z.candidates()/room, kernels.MostRows)
	for block := 0; block < rows; block += z.rows {
		n := min(z.rows, rows-block)
		if !s.again || rows > z.rows {
			m.products(block, n)
		}
		for i := 0; i < n; i += most {
			m.choose(s, block+i, i, min(most, n-i), rows, group, room)
		}
	}
}

// products multiplies n rows of centred from row first on by W_enc, both in float16.
func (m *model) products(first, n int) {
	z := m.z
	// cuBLAS is column-major: pre_BF, row-major, is its C of fPad by n.
	m.q.Do("product", func(s *driver.Stream) error {
		return m.blas.Gemm(s, driver.GemmSpec{
			TransA: true, M: z.fPad, N: n, K: z.width(), A: m.encHalf, LDA: z.width(),
			B: m.centredHalf.Add(2 * int64(first) * int64(z.width())), LDB: z.width(), C: m.pre, LDC: z.fPad, Alpha: 1,
		})
	})
}

// choose makes the selection of n of all rows from row first on, whose products are those of
// row at of pre on.
func (m *model) choose(s selection, first, at, n, all, group, room int) {
	z := m.z
	out := s.out
	out.Later = all - first - n
	selected := 4 * int64(first) * int64(s.k)
	out.Acts, out.Latents = out.Acts.Add(selected), out.Latents.Add(selected)
	if out.Smallest != 0 {
		out.Smallest = out.Smallest.Add(4 * int64(first))
	}
	m.q.Select(kernels.Selection{
		Rows: n, K: s.k, F: z.f, D4: z.d4,
		Pre: m.pre.Add(2 * int64(at) * int64(z.fPad)), Stride: z.fPad,
		X:             m.centred.Add(4 * int64(first) * int64(z.width())),
		TokenRounding: m.tokenRounding.Add(kernels.TokenRoundingBytes * int64(first)),
		W:             m.w.wEnc, LatentRounding: m.encRounding, Bias: m.w.bEnc, Allowed: s.allowed, Zeros: s.zeros,
		Group: group, Bounds: m.bounds, Room: room, Candidates: m.candidates.values, Positions: m.candidates.latents,
		Undecided: m.undecided, Selected: out,
	})
}
