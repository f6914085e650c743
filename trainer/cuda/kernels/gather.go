//go:build cuda

package kernels

// Types of stored numbers. gather.cu has the same.
const (
	StoredF32 = iota
	StoredF16
	StoredBF16
)

// GatherBatch widens N stored rows to float32 and scales them, to a batch.
type GatherBatch struct {
	Data  ptr // rows of D numbers of Type
	Type  int
	Scale float32
	Rows  ptr // [N] int64: the rows' numbers, or 0: the first N
	N, D  int
	Out   ptr // [N,D] result; may be Data where Type is StoredF32 and Rows is 0
}

func (q *Queue) GatherBatch(g GatherBatch) {
	q.require(g.N > 0 && g.D > 0, "gather: %d rows of %d", g.N, g.D)
	q.launch("gather_batch", warpEach(g.N), g.Data, g.Rows, i32(g.N), i32(g.D), i32(g.Type), f32(g.Scale), g.Out)
}

// GatherLatents copies the encoder rows and biases of N latents.
type GatherLatents struct {
	W, Bias ptr // rows of Bytes bytes; float32
	Latents ptr // [N] the latents' numbers
	N       int
	Bytes   int // multiple of 16
	Out     ptr // [N] rows of Bytes bytes, result
	OutBias ptr // [N] result
}

func (q *Queue) GatherLatents(g GatherLatents) {
	q.require(g.N > 0 && g.Bytes%16 == 0, "gather: %d rows of %d bytes", g.N, g.Bytes)
	q.launch("gather_latents", warpEach(g.N), g.W, g.Bias, g.Latents, i32(g.N), i32(g.Bytes/16), g.Out, g.OutBias)
}
