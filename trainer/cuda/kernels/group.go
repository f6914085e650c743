//go:build cuda

package kernels

// Scan, Scatter and Order, in this order, group the hits of a batch by latent; group.cu has an
// example.

// scanBlock is the number of latents of a block of the scan: SCAN of group.cu.
const scanBlock = 1024

// ScanBytes is the size of Scan's scratch: two int32 for each block.
func ScanBytes(f int) int64 { return 2 * 4 * int64(over(f, scanBlock)) }

// Scan finds where each latent's hits begin, from their counts.
type Scan struct {
	Hits    ptr // [F] int32: counts
	F       int
	Segment int // hits of a segment
	Sums    ptr // ScanBytes, scratch
	Start   ptr // [F+1] int32, result: latent f has hits Start[f] up to Start[f+1] − 1
	Extra   ptr // [hits/Segment] pairs (latent, segment) of int32, result: segments from 1 on
	Totals  ptr // *StepTotals
}

func (q *Queue) Scan(s Scan) {
	q.require(s.F > 0 && s.Segment > 0, "scan: %d latents, segments of %d", s.F, s.Segment)
	grid := linear(over(s.F, scanBlock)*scanBlock/4, scanBlock/4)
	q.launch("scan_blocks", grid, s.Hits, i32(s.F), i32(s.Segment), s.Sums)
	q.launch("scan", grid, s.Hits, i32(s.F), i32(s.Segment), s.Sums, s.Start, s.Extra, s.Totals)
}

// Scatter writes hits to their latents' entries, in any order inside a latent.
type Scatter struct {
	Acts, Latents ptr // [Rows,K]; activations of 0 are no hits
	Rows, K       int
	Start         ptr // result of Scan
	Left          ptr // [F] int32: each latent's hits that are not written yet
	Token, Act    ptr // [hits] results
}

func (q *Queue) Scatter(s Scatter) {
	q.require(s.Rows > 0 && s.K > 0, "scatter: %d rows of %d", s.Rows, s.K)
	q.launch("scatter", linear(s.Rows*s.K, 256), s.Acts, s.Latents, i64(s.Rows*s.K), i32(s.K), s.Start, s.Left, s.Token,
		s.Act)
}

// Order sorts each latent's hits by token.
type Order struct {
	Start          ptr // result of Scan
	F, B           int
	Token, Act     ptr // results of Scatter
	ToToken, ToAct ptr // [hits] results
}

func (q *Queue) Order(o Order) {
	q.launch("order", warpEach(o.F), o.Start, i32(o.F), i32(o.B), o.Token, o.Act, o.ToToken, o.ToAct)
}
