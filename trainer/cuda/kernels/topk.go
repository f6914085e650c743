//go:build cuda

package kernels

// Candidates are what a selection has gathered so far, of the K largest pre-activations of
// each of Rows rows. Each row has room for Room candidates. topk.cu has an example.
type Candidates struct {
	Rows, K, Room int
	Bits, Latents ptr  // [Rows,Room] int32
	Count         ptr  // [Rows] int32
	Cutoffs       ptr  // [Rows] int32: only values above it are gathered
	Zeros         bool // zeros may be selected, where a row has fewer than K positive values
}

// Room returns how many candidates a row of k among n latents has room for. More room means
// that rows are pruned less often, but that cutoffs rise later.
func Room(k, n int) int { return min(max(2*k, k+256), 128*over(n, 128)) + 128 }

// A Chunk is the pre-activations of N latents, from latent First on.
type Chunk struct {
	Pre      ptr // [Rows,Stride], without bias
	Stride   int
	Bias     ptr // [N]
	First, N int // First is an index into the dictionary, or into the names of all chunks
	Names    ptr // [N] int32: the latents' numbers, rising; 0: First, First + 1, …
	Allowed  ptr // [F] bytes: 0 leaves a latent out; address 0: all latents take part
}

// TopKChunk adds to the candidates those of a chunk. The chunk with First = 0 starts a
// selection.
func (q *Queue) TopKChunk(s Candidates, c Chunk) {
	q.require(s.Rows > 0 && s.K > 0 && s.Room >= s.K+128, "top k: %d rows, k %d, room %d", s.Rows, s.K, s.Room)
	q.require(c.N > 0 && c.N <= c.Stride && c.Stride%4 == 0, "top k: %d latents in rows of %d", c.N, c.Stride)
	q.launch("topk_chunk", warpEach(s.Rows), c.Pre, i32(c.Stride), c.Bias, i32(c.First), i32(c.N), c.Names, c.Allowed,
		flag(c.First == 0), flag(s.Zeros), i32(s.Rows), i32(s.K), i32(s.Room), s.Bits, s.Latents, s.Count, s.Cutoffs)
}

// Selected is the result of a selection.
type Selected struct {
	Acts, Latents ptr // [Rows,K] in order of latent; zeros follow where a row has fewer
	Hits          ptr // [F] int32: += 1 for each value above 0; or 0
	ZeroPicks     ptr // [F] int32: += 1 for each 0 that was selected; or 0
	Smallest      ptr // [Rows] smallest positive value, or +Inf; or 0
	NaNRow        ptr // int32: Rows + Later − the first row with a NaN, if that is larger

	// Later is the number of rows that come in later blocks. Each block's rows count from
	// 0, and NaNRow is one number for all blocks: the first row with a NaN has the largest.
	Later int
}

// TopKFinish ends a selection.
func (q *Queue) TopKFinish(s Candidates, out Selected) {
	// The kernel takes one number for both the rows of the grid and those from here on.
	q.require(out.Later == 0 || s.Rows%warps == 0, "top k: %d rows before %d others", s.Rows, out.Later)
	q.launch("topk_finish", warpEach(s.Rows), i32(s.Rows+out.Later), i32(s.K), i32(s.Room), s.Bits, s.Latents, s.Count,
		out.Acts, out.Latents, out.Hits, out.ZeroPicks, out.Smallest, out.NaNRow)
}
