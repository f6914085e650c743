package trainer

import (
	"context"
	"math"

	"github.com/topksweep/sweep/trainer/wide"
)

const (
	cosineLatents = 4096 // as many rows of W_dec at most are compared with each other
	cosineSeed    = 4096 // of the choice of them
	cosineStream  = 1
	cosineRows    = 64 // rows of a block
)

// decoderCosine returns the mean of |cosine| over all pairs of different rows of wDec_FD, or of 4,096 rows that a fixed
// seed chooses if it has more. Rows of zeros have no cosine and are left out. It is nil for fewer than two rows.
//
// The sum has a fixed order whatever the number of goroutines: pairs of blocks of rows are summed each on their own.
// It takes a while where rows are many and wide. The error is the cause of ctx, which is looked at before each pair.
func decoderCosine(ctx context.Context, wDec []float32, d int) (*float64, error) {
	var rows []int // offsets in wDec
	var norms []float64
	for _, f := range chooseLatents(len(wDec)/d, cosineLatents) {
		sum := 0.0
		for _, v := range wDec[f*d : (f+1)*d] {
			sum += float64(v) * float64(v)
		}
		if sum > 0 {
			rows, norms = append(rows, f*d), append(norms, math.Sqrt(sum))
		}
	}
	n := len(rows)
	blocks := (n + cosineRows - 1) / cosineRows
	total := 0.0
	for _, part := range eachTask(blocks*(blocks+1)/2, func(task int, sum *float64) {
		if ctx.Err() == nil {
			i, j := pairOf(task)
			*sum = blockCosines(wDec, d, rows, norms, i, j)
		}
	}) {
		total += part
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return quotient(total, float64(n)*float64(n-1)/2), nil
}

// pairOf returns the pair of blocks j ≤ i of a task: (0,0), (1,0), (1,1), (2,0), …
func pairOf(task int) (i, j int) {
	for i = 0; (i+1)*(i+2)/2 <= task; i++ {
	}
	return i, task - i*(i+1)/2
}

// blockCosines returns Σ |cosine| over the pairs of a row of block i and an earlier row of block j.
func blockCosines(wDec []float32, d int, rows []int, norms []float64, i, j int) float64 {
	as, bs := blockRowsOf(wDec, d, rows, i), blockRowsOf(wDec, d, rows, j)
	sum := 0.0
	add := func(a, b int, dot float64) { // of row a of block i and row b of block j
		if a, b = i*cosineRows+a, j*cosineRows+b; b < a && a < len(norms) {
			sum += min(math.Abs(dot)/norms[a]/norms[b], 1) // rounding may lead beyond 1
		}
	}
	for a := 0; a < len(as); a += 2 {
		for b := 0; b < len(bs); b += 4 {
			if i == j && b > a+1 {
				break // these rows are all later
			}
			for q, dot := range wide.Dots2x4([2][]float32(as[a:]), [4][]float32(bs[b:])) {
				add(a+q/4, b+q%4, dot)
			}
		}
	}
	return sum
}

// blockRowsOf returns the rows of a block. The last one again and again, which then pairs with nothing, makes their
// number a multiple of four.
func blockRowsOf(wDec []float32, d int, rows []int, block int) [][]float32 {
	rows = rows[block*cosineRows : min(len(rows), (block+1)*cosineRows)]
	out := make([][]float32, (len(rows)+3)/4*4)
	for r := range out {
		out[r] = wDec[rows[min(r, len(rows)-1)]:][:d]
	}
	return out
}

// chooseLatents returns n of f latents in ascending order, chosen at random by a seed that is the same for every run;
// all of them if f is n or less.
func chooseLatents(f, n int) []int {
	chosen := make([]int, 0, min(f, n))
	left := n
	for latent := range f { // each one with the probability that n of all are chosen
		if f <= n || Uniform(cosineSeed, cosineStream, uint64(latent))*float64(f-latent) < float64(left) {
			chosen = append(chosen, latent)
			left--
		}
	}
	return chosen
}
