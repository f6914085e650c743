//go:build cuda

package kernels

// A Sieve holds the candidates of a selection of the K largest in each of Rows
// rows, Room of them a row. They are shown the pre-activations chunk by chunk.
type Sieve struct {
	Rows, K, Room int
	Bits, Latents ptr  // [Rows,Room]
	Count, Floors ptr  // [Rows]
	Zeros         bool // zeros may be chosen, where positive values are too few
}

// Room returns the candidates to keep for a row: more room means fewer cuts and
// a floor that rises later. all is the number of latents that are shown.
func Room(k, all int) int { return min(max(2*k, k+256), 128*over(all, 128)) + 128 }

// A Chunk is pre-activations of N latents from First on.
type Chunk struct {
	Pre      ptr // [Rows,Stride], without bias
	Stride   int
	Bias     ptr // [N]
	First, N int // First in the dictionary, or in all names
	Names    ptr // [N] the latents' numbers, rising; 0: First, First+1, …
	Allowed  ptr // [F] bytes: 0 keeps a latent out; 0: all take part
}

// Sift shows the sieve a chunk. That of latent 0 starts a selection.
func (q *Queue) Sift(s Sieve, c Chunk) {
	q.need(s.Rows > 0 && s.K > 0 && s.Room >= s.K+128, "sift: %d rows, k %d, room %d", s.Rows, s.K, s.Room)
	q.need(c.N > 0 && c.N <= c.Stride && c.Stride%4 == 0, "sift: %d latents in rows of %d", c.N, c.Stride)
	q.launch("sift", rows(s.Rows), args(c.Pre, i32(c.Stride), c.Bias, i32(c.First), i32(c.N), c.Names, c.Allowed,
		c.First == 0, s.Zeros, i32(s.Rows), i32(s.K), i32(s.Room), s.Bits, s.Latents, s.Count, s.Floors))
}

// Chosen is what a selection ends in.
type Chosen struct {
	Acts, Latents ptr // [Rows,K], in order of latent, zeros where there are fewer
	Hits          ptr // [F] counts of values above 0, or 0
	ZeroPicks     ptr // [F] counts of zeros chosen, or 0
	Least         ptr // [Rows] smallest positive value or +Inf, or 0
	Bad           ptr // int32: Rows − first row with a NaN, if that is larger
}

// Sifted ends a selection.
func (q *Queue) Sifted(s Sieve, c Chosen) {
	q.launch("sifted", rows(s.Rows), args(i32(s.Rows), i32(s.K), i32(s.Room), s.Bits, s.Latents, s.Count,
		c.Acts, c.Latents, c.Hits, c.ZeroPicks, c.Least, c.Bad))
}
