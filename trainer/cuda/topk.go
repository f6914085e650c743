//go:build cuda

package cuda

import (
	"github.com/topksweep/sweep/trainer/cuda/driver"
	"github.com/topksweep/sweep/trainer/cuda/kernels"
)

// A selection asks for the k largest pre-activations of each row.
type selection struct {
	k       int
	n       int              // latents to select among
	names   driver.Ptr       // [n] int32: their numbers; 0: the whole dictionary
	allowed driver.Ptr       // [F] bytes: 0 leaves a latent out; address 0: none is left out
	zeros   bool             // zeros may be selected
	out     kernels.Selected // of the first row
}

// topK makes a selection for the first rows of centred. The pre-activations exist only as a
// chunk of latents for a block of rows:
//
//	for each block of rows
//		for each chunk of latents
//			product, then topk_chunk gathers the chunk's candidates
//		topk_finish selects the k largest candidates
func (m *model) topK(rows int, s selection) {
	room := kernels.Room(s.k, s.n)
	for from := 0; from < rows; from += m.z.rows {
		n := min(m.z.rows, rows-from)
		candidates := kernels.Candidates{
			Rows: n, K: s.k, Room: room, Bits: m.candidates.bits, Latents: m.candidates.latents,
			Count: m.candidates.count, Cutoffs: m.candidates.cutoffs, Zeros: s.zeros,
		}
		for first := 0; first < s.n; first += m.z.chunk {
			m.topKChunk(candidates, s, from, first, min(m.z.chunk, s.n-first))
		}
		out := s.out
		out.Later = rows - from - n
		at := 4 * int64(from) * int64(s.k)
		out.Acts, out.Latents = out.Acts.Add(at), out.Latents.Add(at)
		if out.Smallest != 0 {
			out.Smallest = out.Smallest.Add(4 * int64(from))
		}
		m.q.TopKFinish(candidates, out)
	}
}

// topKChunk multiplies the rows from row from on by n latents from latent first on, and
// gathers candidates from the products.
func (m *model) topKChunk(candidates kernels.Candidates, s selection, from, first, n int) {
	in, w := m.centred, m.w.wEnc
	if m.z.bf16 {
		in, w = m.centredBF, m.encBF
	}
	width := m.z.width()
	rowBytes := width * m.precision.bytes
	bias, names := m.w.bEnc.Add(4*int64(first)), driver.Ptr(0)
	if s.names != 0 {
		names = s.names.Add(4 * int64(first))
		m.q.GatherLatents(kernels.GatherLatents{
			W: w, Bias: m.w.bEnc, Latents: names, N: n, Bytes: rowBytes,
			Out: m.aux.gathered, OutBias: m.aux.gatheredBias,
		})
		w, bias = m.aux.gathered, m.aux.gatheredBias
	} else {
		w = w.Add(int64(first) * int64(rowBytes))
	}
	// cuBLAS is column-major: pre_BN, row-major, is its C of n by rows.
	m.q.Do("product", func(q *driver.Stream) error {
		return m.blas.Gemm(q, driver.GemmSpec{
			TransA: true, M: n, N: candidates.Rows, K: width,
			A: w, LDA: width, B: in.Add(int64(from) * int64(rowBytes)), LDB: width, C: m.pre, LDC: m.z.chunk,
			TypeA: m.precision.in, TypeB: m.precision.in, Compute: m.precision.compute, Alpha: 1,
		})
	})
	m.q.TopKChunk(candidates, kernels.Chunk{
		Pre: m.pre, Stride: m.z.chunk, Bias: bias, First: first, N: n, Names: names, Allowed: s.allowed,
	})
}
