//go:build cuda

package kernels

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A Selection asks for the K largest pre-activations of each of Rows tokens, among F latents.
// Products in float16 choose candidates, and float32 values decide: screen.cu says why that is
// exact.
type Selection struct {
	Rows, K, F, D4 int

	Pre    ptr // [Rows,Stride] products in float16
	Stride int // multiple of 64, at least F

	X, TokenRounding      ptr // [Rows,D4] tokens less b_dec; [Rows] how they were rounded (Centre)
	W, LatentRounding     ptr // [F,D4] W_enc; [F] how it was rounded (RoundRows, Update)
	Bias                  ptr // [F]
	Allowed               ptr // [F] bytes: 0 leaves a latent out; address 0: all latents take part
	Zeros                 bool
	Group                 int // latents of a group: GroupFor
	Bounds                ptr // [Rows,Stride/Group] pairs of float32
	Room                  int // candidates that a row has room for: Room
	Candidates, Positions ptr // [Rows,Room] their values and latents

	// Undecided is [1+Rows]: how many rows are undecided, and which.
	Undecided ptr

	Selected
}

// Selected is the result of a selection.
type Selected struct {
	Acts, Latents ptr // [Rows,K] values above 0 in order of latent; zeros follow where a row has fewer
	Hits          ptr // [F] int32: += 1 for each value above 0; or 0
	ZeroPicks     ptr // [F] int32: += 1 for each 0 that was selected; or 0
	Smallest      ptr // [Rows] smallest positive value, or +Inf; or 0
	NaNRow        ptr // int32: Rows + Later − the first row with a NaN, if that is larger

	// Later is the number of rows that come in later blocks. Each block's rows count from
	// 0, and NaNRow is one number for all blocks: the first row with a NaN has the largest.
	Later int
}

// Room returns how many candidates a row of k among n latents has room for. A row with more is
// computed whole.
func Room(k, n int) int { return min(max(2*k, k+256), 128*over(n, 128)) + 128 }

// GroupFor returns how many latents a group has in a selection of k among allowed of f latents:
// a power of two up to 64. The bar is the k-th largest of the groups' bounds. With n groups that
// have a latent, some k²/2n latents more than k reach it. So n is 8·k, or where groups of fewer
// than 8 latents were needed for that, 2·k.
func GroupFor(k, allowed, f int) int {
	share := float64(allowed) / float64(f)
	groups := func(size int) float64 { // with an allowed latent, where these are spread evenly
		return float64(f) / float64(size) * (1 - math.Pow(1-share, float64(size)))
	}
	for size := 64; size >= 8; size /= 2 {
		if groups(size) >= 8*float64(k) {
			return size
		}
	}
	for size := 8; size > 1; size /= 2 {
		if groups(size) >= 2*float64(k) {
			return size
		}
	}
	return 1
}

// restBlocks is the number of blocks that share the undecided rows. There are few of these.
const restBlocks = 128

// Select makes a selection.
func (q *Queue) Select(s Selection) {
	q.require(s.Rows > 0 && s.Rows <= MostRows, "select: %d rows", s.Rows)
	q.require(s.K > 0 && s.Room >= s.K+128, "select: k %d, room %d", s.K, s.Room)
	q.require(s.F > 0 && s.F <= s.Stride && s.Stride%64 == 0, "select: %d latents in rows of %d", s.F, s.Stride)
	q.require(bits.OnesCount(uint(s.Group)) == 1 && s.Group <= 64, "select: groups of %d", s.Group)
	q.maxima(s)
	q.choose(s)
	q.chooseRest(s)
}

// maxima bounds the largest pre-activation of each group.
func (q *Queue) maxima(s Selection) {
	own := min(s.Group, 8)
	grid := linear(s.Stride/8, rowThreads(s.Stride/8))
	grid.Blocks[1] = uint32(over(s.Rows, maximaRows))
	q.launch("maxima"+strconv.Itoa(own), grid, s.Pre, i32(s.Stride), s.TokenRounding, s.LatentRounding, s.Bias, s.Allowed,
		i32(s.F), i32(s.Rows), i32(s.Group/own), i32(s.groups()), s.Bounds, s.Undecided)
}

// choose makes the selection of the rows that the bounds decide.
func (q *Queue) choose(s Selection) {
	args := []driver.Arg{
		s.Pre, i32(s.Stride), s.TokenRounding, s.LatentRounding, s.Bounds, i32(s.groups()),
		i32(bits.TrailingZeros(uint(s.Group))),
	}
	q.launch("choose", driver.Linear(s.Rows, chooseThreads), append(args, s.args()...)...)
}

// chooseRest makes the selection of the others.
func (q *Queue) chooseRest(s Selection) {
	q.launch("choose_rest", driver.Linear(min(s.Rows, restBlocks), chooseThreads), s.args()...)
}

func (s Selection) groups() int { return s.Stride / s.Group }

// args are the arguments that choose and choose_rest share.
func (s Selection) args() []driver.Arg {
	return []driver.Arg{
		s.X, s.W, s.Bias, s.Allowed, i32(s.F), i32(s.D4), i32(s.K), i32(s.Room), flag(s.Zeros), i32(s.Rows + s.Later),
		s.Candidates, s.Positions, s.Acts, s.Latents, s.Hits, s.ZeroPicks, s.Smallest, s.NaNRow, s.Undecided,
	}
}

// MostRows is how many rows a selection has at most: a grid has up to 65,535 blocks in its second dimension.
const MostRows = 65535 * maximaRows

const (
	maximaRows    = 32  // MAXIMA_ROWS of screen.cu
	chooseThreads = 128 // CHOOSE_THREADS of choose.cu
)
