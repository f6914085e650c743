//go:build cuda

package kernels

// Gather copies the N rows that Names lists, of Bytes each, and their biases.
type Gather struct {
	W, Bias, Names ptr
	N, Bytes       int
	Out, OutBias   ptr
}

func (q *Queue) Gather(g Gather) {
	q.need(g.N > 0 && g.Bytes%16 == 0, "gather: %d rows of %d bytes", g.N, g.Bytes)
	q.launch("gather", rows(g.N), args(g.W, g.Bias, g.Names, i32(g.N), i32(g.Bytes/16), g.Out, g.OutBias))
}
