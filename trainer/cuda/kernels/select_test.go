//go:build cuda

package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A selectCase is tokens and an encoder, and what to select.
type selectCase struct {
	rows, k, f, d int
	x, w          []float32 // [rows,d], [f,d]
	bias          []float32 // [f]
	allowed       []uint8   // [f], or nil
	zeros         bool
	group, room   int // 0: the default
}

// fma is a·b + c with one rounding. That of float64 comes before it, and changes it once in 2^29 times.
func fma(a, b, c float32) float32 { return float32(math.FMA(float64(a), float64(b), float64(c))) }

// plain returns the float32 pre-activation of a row and a latent, in the order of choose.cu.
func (c *selectCase) plain(row, latent int) float32 {
	x, w := c.x[row*c.d:(row+1)*c.d], c.w[latent*c.d:(latent+1)*c.d]
	var lanes [32]float32
	for i := 0; i < c.d; i += 4 {
		s := &lanes[i/4%32]
		for j := min(3, c.d-1-i); j >= 0; j-- {
			*s = fma(x[i+j], w[i+j], *s)
		}
	}
	for o := 16; o > 0; o >>= 1 {
		for l := range o {
			lanes[l] += lanes[l+o]
		}
	}
	return lanes[0] + c.bias[latent]
}

// A selected is the result of a selection.
type selected struct {
	acts, smallest           []float32
	latents, hits, zeroPicks []int32
	nanRow                   int32
	undecided                int
}

// want selects by a stable sort of the plain pre-activations; of equal values the lowest latents. Values above 0
// come first, in order of latent.
func (c *selectCase) want() selected {
	out := selected{hits: make([]int32, c.f), zeroPicks: make([]int32, c.f)}
	for row := range c.rows {
		value := make([]float32, c.f)
		var order []int
		for f := range value {
			if c.allowed != nil && c.allowed[f] == 0 {
				continue
			}
			value[f] = max(0, c.plain(row, f))
			if value[f] != value[f] {
				value[f] = float32(math.NaN())
				out.nanRow = max(out.nanRow, int32(c.rows-row))
			}
			if c.zeros || value[f] > 0 || value[f] != value[f] {
				order = append(order, f)
			}
		}
		key := func(f int) int64 {
			if value[f] != value[f] {
				return math.MaxInt64
			}
			return int64(math.Float32bits(value[f]))
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case key(a) > key(b):
				return -1
			case key(a) < key(b):
				return 1
			}
			return 0
		})
		order = order[:min(c.k, len(order))]
		slices.SortStableFunc(order, func(a, b int) int {
			if (key(a) > 0) != (key(b) > 0) {
				return int(min(1, key(b))) - int(min(1, key(a)))
			}
			return a - b
		})
		small := float32(math.Inf(1))
		for i := range c.k {
			act, latent := float32(0), int32(0)
			if i < len(order) {
				act, latent = value[order[i]], int32(order[i])
				if act > 0 {
					out.hits[latent]++
					small = min(small, act)
				} else if act == 0 {
					out.zeroPicks[latent]++
				}
			}
			out.acts, out.latents = append(out.acts, act), append(out.latents, latent)
		}
		out.smallest = append(out.smallest, small)
	}
	return out
}

// run makes the selection on the GPU. Where product is not nil it changes the products that cuBLAS made, [rows,stride]
// in float16, and the rounding of the tokens, four numbers each. With rest all rows are undecided.
func (c *selectCase) run(
	t *testing.T, product func(pre []uint8, stride int, tokens, latents []float32), rest bool,
) selected {
	t.Helper()
	b := newGPU(t)
	width, stride := 8*over(c.d, 8), 64*over(c.f, 64)
	pad := func(v []float32, rows int) []float32 {
		out := make([]float32, rows*width)
		for i := range len(v) / c.d {
			copy(out[i*width:], v[i*c.d:(i+1)*c.d])
		}
		return out
	}
	x, w := put(b, pad(c.x, c.rows)), put(b, pad(c.w, c.f))
	out := selected{}
	s := Selection{
		Rows: c.rows, K: c.k, F: c.f, D4: width / 4, Stride: stride, X: x, W: w, Bias: put(b, c.bias), Zeros: c.zeros,
		Group: c.group, Room: c.room, TokenRounding: room[float32](b, 4*c.rows), LatentRounding: room[float32](b, 4*c.f),
		Pre: room[uint8](b, 2*c.rows*stride), Undecided: room[int32](b, 1+c.rows),
		Selected: Selected{
			Acts: room[float32](b, c.rows*c.k), Latents: room[int32](b, c.rows*c.k), Smallest: room[float32](b, c.rows),
			Hits: put(b, make([]int32, c.f)), ZeroPicks: put(b, make([]int32, c.f)), NaNRow: put(b, []int32{0}),
		},
	}
	among := c.f
	if c.allowed != nil {
		s.Allowed = put(b, c.allowed)
		among = 0
		for _, a := range c.allowed {
			among += int(a)
		}
	}
	if s.Group == 0 {
		s.Group = GroupFor(c.k, among, c.f)
	}
	if s.Room == 0 {
		s.Room = Room(c.k, c.f)
	}
	s.Bounds = room[float32](b, 2*c.rows*stride/s.Group)
	s.Candidates, s.Positions = room[int32](b, c.rows*s.Room), room[int32](b, c.rows*s.Room)
	centred, half := room[float32](b, c.rows*width), room[uint8](b, 2*c.rows*width)
	encHalf := put(b, make([]uint8, 2*stride*width))
	b.Centre(Centre{
		X: x, BDec: put(b, make([]float32, width)), Out: centred, Half: half, Rounding: s.TokenRounding,
		Rows: c.rows, D: width, D4: width / 4,
	})
	b.RoundRows(w, encHalf, s.LatentRounding, c.f, width/4)
	blas, err := b.dev.Blas()
	if err != nil {
		t.Fatal(err)
	}
	b.Do("product", func(q *driver.Stream) error {
		return blas.Gemm(q, driver.GemmSpec{
			TransA: true, M: stride, N: c.rows, K: width, A: encHalf, LDA: width, B: half, LDB: width, C: s.Pre, LDC: stride,
			Alpha: 1,
		})
	})
	if product != nil {
		pre, tokens := get[uint8](b, s.Pre, 2*c.rows*stride), get[float32](b, s.TokenRounding, 4*c.rows)
		product(pre, stride, tokens, get[float32](b, s.LatentRounding, 4*c.f))
		s.Pre, s.TokenRounding = put(b, pre), put(b, tokens)
	}
	if rest {
		list := []int32{int32(c.rows)}
		for row := range c.rows {
			list = append(list, int32(row))
		}
		s.Undecided = put(b, list)
		b.chooseRest(s)
	} else {
		b.Select(s)
	}
	n := c.rows * c.k
	out.acts, out.latents = get[float32](b, s.Acts, n), get[int32](b, s.Selected.Latents, n)
	out.smallest = get[float32](b, s.Smallest, c.rows)
	out.hits, out.zeroPicks = get[int32](b, s.Hits, c.f), get[int32](b, s.ZeroPicks, c.f)
	out.nanRow, out.undecided = get[int32](b, s.NaNRow, 1)[0], int(get[int32](b, s.Undecided, 1)[0])
	if err := blas.Close(); err != nil {
		t.Error(err)
	}
	return out
}

// differs says in what two results differ, or returns "".
func (s selected) differs(want selected, k int) string {
	for i := range want.acts {
		same := s.acts[i] == want.acts[i] || s.acts[i] != s.acts[i] && want.acts[i] != want.acts[i]
		if !same || s.latents[i] != want.latents[i] {
			return fmt.Sprintf("row %d: number %d is %v of latent %d, want %v of %d", i/k, i%k, s.acts[i], s.latents[i],
				want.acts[i], want.latents[i])
		}
	}
	switch {
	case !slices.Equal(s.hits, want.hits):
		return "the hits differ"
	case !slices.Equal(s.zeroPicks, want.zeroPicks):
		return "the picks of zeros differ"
	case !slices.Equal(s.smallest, want.smallest):
		return fmt.Sprintf("the smallest are %v, want %v", s.smallest, want.smallest)
	case s.nanRow != want.nanRow:
		return fmt.Sprintf("the first row with a NaN is %d, want %d", s.nanRow, want.nanRow)
	}
	return ""
}

// normal returns n numbers that are nearly normal.
func normal(r *rand.Rand, n int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(scale * r.NormFloat64())
	}
	return out
}

func newCase(seed uint64, rows, k, f, d int) *selectCase {
	r := rand.New(rand.NewPCG(seed, 1))
	return &selectCase{
		rows: rows, k: k, f: f, d: d, x: normal(r, rows*d, 1), w: normal(r, f*d, 0.1), bias: normal(r, f, 0.05),
	}
}

// TestSelect compares selections with a sort of plain float32 products: for groups of every size, ties, zeros, rows
// that cannot be screened, and rows that the bounds do not decide.
func TestSelect(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, test := range map[string]struct {
		rows, k, f, d int
		change        func(*selectCase)
		undecided     int // rows; -1: any number
	}{
		"ordinary":       {9, 10, 700, 24, nil, 0},
		"one latent":     {9, 1, 1, 8, nil, 0},
		"wide":           {3, 4, 90, 1040, nil, 0},
		"odd width":      {3, 4, 90, 13, nil, 0},
		"many rows":      {70, 2, 130, 8, nil, 0},
		"large k":        {3, 300, 700, 16, nil, 0},
		"all of them":    {3, 200, 200, 16, func(c *selectCase) { c.zeros = true }, 0},
		"groups of 64":   {5, 6, 3000, 16, func(c *selectCase) { c.group = 64 }, 0},
		"groups of 32":   {5, 6, 1000, 16, func(c *selectCase) { c.group = 32 }, 0},
		"groups of 16":   {5, 6, 1000, 16, func(c *selectCase) { c.group = 16 }, 0},
		"groups of 4":    {5, 6, 1000, 16, func(c *selectCase) { c.group = 4 }, 0},
		"groups of 2":    {5, 6, 1000, 16, func(c *selectCase) { c.group = 2 }, 0},
		"groups of 1":    {5, 6, 1000, 16, func(c *selectCase) { c.group = 1 }, 0},
		"fewer groups":   {5, 12, 300, 16, func(c *selectCase) { c.group = 64 }, 0},
		"many groups":    {2, 3, 20000, 8, func(c *selectCase) { c.group = 8 }, 0},
		"few positive":   {5, 20, 300, 16, func(c *selectCase) { shift(c, -1) }, 0},
		"none positive":  {5, 20, 300, 16, func(c *selectCase) { shift(c, -100) }, 0},
		"few and zeros":  {5, 20, 300, 16, func(c *selectCase) { shift(c, -1); c.zeros = true }, 0},
		"zeros alone":    {5, 20, 300, 16, func(c *selectCase) { shift(c, -100); c.zeros = true }, 0},
		"zeros of some":  {5, 20, 300, 16, func(c *selectCase) { shift(c, -100); c.zeros = true; among(c, 3) }, 0},
		"some":           {5, 20, 900, 16, func(c *selectCase) { among(c, 3) }, 0},
		"fewer than k":   {5, 20, 300, 16, func(c *selectCase) { among(c, 30) }, 0},
		"tokens of zero": {5, 20, 300, 16, func(c *selectCase) { clear(c.x) }, 0},
		"equal latents": {5, 20, 300, 16, func(c *selectCase) {
			for f := range c.f {
				copy(c.w[f*c.d:(f+1)*c.d], c.w[f%7*c.d:])
				c.bias[f] = c.bias[f%7]
			}
		}, 0},
		"all equal": {3, 5, 1000, 16, func(c *selectCase) {
			for f := range c.f {
				copy(c.w[f*c.d:(f+1)*c.d], c.w[:c.d])
				c.bias[f] = 4
			}
			c.room = 200
		}, 3},
		"little room":       {6, 70, 900, 16, func(c *selectCase) { c.room = 198; c.group = 64; c.k = 70 }, -1},
		"large biases":      {5, 6, 400, 16, func(c *selectCase) { times(c.bias, 1e5) }, 0},
		"infinite bias":     {5, 6, 400, 16, func(c *selectCase) { c.bias[50], c.bias[60] = inf, -inf }, 0},
		"NaN bias":          {5, 6, 400, 16, func(c *selectCase) { c.bias[50] = nan }, 0},
		"NaN in a latent":   {5, 6, 400, 16, func(c *selectCase) { c.w[50*c.d+3] = nan }, 0},
		"NaN, not allowed":  {5, 6, 400, 16, func(c *selectCase) { c.w[50*c.d+3] = nan; among(c, 3) }, 0},
		"infinite latent":   {5, 6, 400, 16, func(c *selectCase) { c.w[50*c.d+3] = inf }, 0},
		"NaN in a token":    {5, 6, 400, 16, func(c *selectCase) { c.x[2*c.d+1] = -nan }, 1},
		"infinite token":    {5, 6, 400, 16, func(c *selectCase) { c.x[2*c.d+1] = inf }, 1},
		"huge tokens":       {5, 6, 400, 16, func(c *selectCase) { times(c.x[:2*c.d], 0x1p50) }, 2},
		"large tokens":      {5, 6, 400, 16, func(c *selectCase) { times(c.x[:2*c.d], 0x1p30) }, 0},
		"tiny tokens":       {5, 6, 400, 16, func(c *selectCase) { times(c.x[:2*c.d], 0x1p-38); clear(c.bias) }, 0},
		"denormal tokens":   {5, 6, 400, 16, func(c *selectCase) { times(c.x, 0x1p-140); clear(c.bias) }, -1},
		"huge latents":      {5, 6, 400, 16, func(c *selectCase) { times(c.w[:9*c.d], 0x1p60) }, 0},
		"unequal latents":   {5, 6, 400, 16, func(c *selectCase) { unequal(c.w, c.d) }, 0},
		"denormal latents":  {5, 6, 400, 16, func(c *selectCase) { times(c.w, 0x1p-140); clear(c.bias) }, -1},
		"outliers":          {5, 6, 400, 64, func(c *selectCase) { outliers(c) }, -1},
		"outliers, ignored": {5, 6, 400, 64, func(c *selectCase) { outliers(c); ignore(c) }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCase(7, test.rows, test.k, test.f, test.d)
			if test.change != nil {
				test.change(c)
			}
			want := c.want()
			got := c.run(t, nil, false)
			if diff := got.differs(want, c.k); diff != "" {
				t.Error(diff)
			}
			if test.undecided >= 0 && got.undecided != test.undecided {
				t.Errorf("%d rows are undecided, want %d", got.undecided, test.undecided)
			}
			if diff := c.run(t, nil, true).differs(want, c.k); diff != "" {
				t.Errorf("all undecided: %s", diff)
			}
		})
	}
}

func shift(c *selectCase, by float32) {
	for f := range c.bias {
		c.bias[f] += by
	}
}

// among allows every n-th latent.
func among(c *selectCase, n int) {
	c.allowed = make([]uint8, c.f)
	for f := range c.allowed {
		if f%n == 1 {
			c.allowed[f] = 1
		}
	}
}

func times(v []float32, by float32) {
	for i := range v {
		v[i] *= by
	}
}

// unequal gives the rows norms over thirty powers of two.
func unequal(w []float32, d int) {
	for i := range w {
		w[i] = float32(math.Ldexp(float64(w[i]), i/d%31-15))
	}
}

func outliers(c *selectCase) {
	for row := range c.rows {
		c.x[row*c.d+5] = 1000
	}
}

// ignore makes the latents ignore the outlier.
func ignore(c *selectCase) {
	for f := range c.f {
		c.w[f*c.d+5] = 0
	}
}

// TestSelectRandom compares selections of random sizes and scales, for which rounding matters in other ways.
func TestSelectRandom(t *testing.T) {
	cases := 60
	if testing.Short() {
		cases = 10
	}
	for seed := range uint64(cases) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := newCase(seed, 1+r.IntN(9), 1+r.IntN(40), 40+r.IntN(600), 1+r.IntN(90))
		times(c.x, float32(math.Exp(r.NormFloat64()*5)))
		times(c.bias, float32(math.Exp(r.NormFloat64()*3)))
		if r.IntN(3) == 0 { // values with few bits: ties
			for i := range c.w {
				c.w[i] = float32(math.Round(float64(c.w[i]) * 8))
			}
			for i := range c.x {
				c.x[i] = float32(math.Round(float64(c.x[i])))
			}
			clear(c.bias)
		}
		if r.IntN(4) == 0 {
			among(c, 1+r.IntN(4))
		}
		if r.IntN(4) == 0 {
			unequal(c.w, c.d)
		}
		c.zeros = r.IntN(2) == 0
		if diff := c.run(t, nil, false).differs(c.want(), c.k); diff != "" {
			t.Fatalf("seed %d, %d rows of %d, k %d of %d: %s", seed, c.rows, c.d, c.k, c.f, diff)
		}
	}
}

// Arguments that a kernel cannot work with are errors.
func TestBadArguments(t *testing.T) {
	b := newGPU(t)
	for name, put := range map[string]func(q *Queue){
		"too little room":   func(q *Queue) { q.Select(Selection{Rows: 1, K: 100, Room: 200, F: 5, Stride: 64, Group: 8}) },
		"odd stride":        func(q *Queue) { q.Select(Selection{Rows: 1, K: 1, Room: 129, F: 5, Stride: 60, Group: 4}) },
		"odd group":         func(q *Queue) { q.Select(Selection{Rows: 1, K: 1, Room: 129, F: 5, Stride: 64, Group: 3}) },
		"rows too wide":     func(q *Queue) { q.Backward(Backward{F: 1, D4: MaxD4 + 1}) },
		"k past the stride": func(q *Queue) { q.Decode(Decode{Rows: 1, K: 3, Stride: 2}) },
	} {
		q := NewQueue(b.set, b.stream)
		put(q)
		if q.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestGroupFor(t *testing.T) {
	for _, test := range []struct{ k, allowed, f, want int }{
		{100, 32768, 32768, 32}, {32, 131072, 131072, 64}, {64, 65536, 65536, 64}, {32, 8192, 8192, 32},
		{256, 6553, 32768, 8}, {2048, 13107, 65536, 8}, {700, 900, 900, 1}, {1, 1, 1, 1}, {5, 0, 100, 1},
	} {
		if got := GroupFor(test.k, test.allowed, test.f); got != test.want {
			t.Errorf("k %d among %d of %d: groups of %d, want %d", test.k, test.allowed, test.f, got, test.want)
		}
	}
}
