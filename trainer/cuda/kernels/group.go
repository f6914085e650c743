//go:build cuda

package kernels

import "github.com/topksweep/sweep/trainer/cuda/driver"

// scanBlock is how many latents a block of the scan takes (SCAN).
const scanBlock = 1024

// ScanBytes is the scratch that Scan needs.
func ScanBytes(f int) int64 { return 12 * int64(over(f, scanBlock)) }

// Scan finds each latent's place among the hits, from their counts.
type Scan struct {
	Hits    ptr // [F]
	Dying   ptr // [F] bytes, or 0
	F       int
	Segment int // hits worked on together; a latent's further segments are listed
	Sums    ptr // ScanBytes
	Start   ptr // [F+1]
	Extra   ptr // [hits/Segment] pairs (latent, segment), segments from 1
	List    ptr // [F] the dying latents, rising
	Totals  ptr
}

func (q *Queue) Scan(s Scan) {
	q.need(s.F > 0 && s.Segment > 0, "scan: %d latents, segments of %d", s.F, s.Segment)
	shape := linear(over(s.F, scanBlock)*scanBlock/4, scanBlock/4)
	q.launch("scan_blocks", shape, args(s.Hits, s.Dying, i32(s.F), i32(s.Segment), s.Sums))
	q.launch("scan", shape, args(s.Hits, s.Dying, i32(s.F), i32(s.Segment), s.Sums, s.Start, s.Extra, s.List, s.Totals))
}

// Scatter puts hits in their latents' places, in any order.
type Scatter struct {
	Acts, Latents ptr // [Rows,K]
	Rows, K       int
	Start         ptr
	Left          ptr // [F] each latent's count of hits, left at what is not placed yet
	Token, Act    ptr
}

func (q *Queue) Scatter(s Scatter) {
	q.need(s.Rows > 0 && s.K > 0, "scatter: %d rows of %d", s.Rows, s.K)
	q.launch("scatter", linear(s.Rows*s.K, 256), args(s.Acts, s.Latents, i64(s.Rows*s.K), i32(s.K), s.Start, s.Left, s.Token, s.Act))
}

// Order sorts each latent's hits by token.
type Order struct {
	Start          ptr
	F, B           int
	Token, Act     ptr
	ToToken, ToAct ptr
}

func (q *Queue) Order(o Order) {
	q.launch("order", driver.Shape{Grid: [3]uint32{uint32(over(o.F, warps))}, Block: [3]uint32{32, warps}},
		args(o.Start, i32(o.F), i32(o.B), o.Token, o.Act, o.ToToken, o.ToAct))
}
