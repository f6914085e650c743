//go:build cuda

package kernels

// Decode subtracts from each row what its activations decode to, without b_dec.
type Decode struct {
	From, Out     ptr // [Rows,D4]; they may be the same
	WDec          ptr // [F,D4]
	DecScale      ptr // [F]
	Acts, Latents ptr // [Rows,Stride]; the first K of each row count
	K, Stride     int
	Rows, D4      int
	Norm2         ptr // [Rows] float64, result: squared norm of Out
	Mean          ptr // [4·D4] float64, or 0
	Spread2       ptr // [Rows] float64, result unless Mean is 0: squared distance of From from Mean
}

func (q *Queue) Decode(d Decode) {
	q.require(d.Rows > 0 && d.K > 0 && d.K <= d.Stride, "decode: %d rows, k %d of %d", d.Rows, d.K, d.Stride)
	q.launch("decode", blockEach(d.Rows, d.D4), d.From, d.Out, d.WDec, d.DecScale, d.Acts, d.Latents, i32(d.K),
		i32(d.Stride), i32(d.D4), d.Norm2, d.Mean, d.Spread2)
}
