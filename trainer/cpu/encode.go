package cpu

import (
	"fmt"
	"math/bits"
)

// An encoder computes, for rows of x, the k largest ReLU pre-activations among
// some latents. The pre-activations live in registers and one tile at a time;
// the whole of them is never stored.
type encoder struct {
	z     sizes
	kern  *kernels
	crew  crew
	xs    []float32 // packed x − b_dec: [rows/mr][D][mr]
	work  []*encoderWork
	cand  []key // [rows][splits][k], where latents are split
	nCand []int
}

type encoderWork struct {
	sieve sieve
	out   [mr][nr]float32
	hit   [mr]uint32
}

// pack packs the rows of x_nD minus b_dec, and copies them to centred rows of
// width dPad if that is not nil.
func (e *encoder) pack(x, bDec, centred []float32) {
	d := e.z.d
	rows := len(x) / d
	blocks := roundUp(rows, mr) / mr
	if n := blocks * mr * d; cap(e.xs) < n {
		e.xs = make([]float32, n)
	} else {
		e.xs = e.xs[:n]
	}
	e.crew.do(blocks, func(_, i int) {
		panel := e.xs[i*mr*d : (i+1)*mr*d]
		for r := range mr {
			row := i*mr + r
			if row >= rows {
				for j := r; j < len(panel); j += mr {
					panel[j] = 0
				}
				continue
			}
			src := x[row*d : (row+1)*d]
			for j, v := range src {
				panel[j*mr+r] = v - bDec[j]
			}
			if centred != nil {
				dst := centred[row*e.z.dPad:][:d]
				for j := range dst {
					dst[j] = panel[j*mr+r]
				}
			}
		}
	})
}

// A dictionary is the latents that an encoding chooses from.
type dictionary struct {
	w, bias []float32 // packed panels and their biases
	n       int       // latents
	allowed []uint32  // bit j of allowed[p] admits latent p·nr+j; nil admits all
}

func (d *dictionary) mask(p int) uint32 {
	if d.allowed != nil {
		return d.allowed[p]
	}
	if left := d.n - p*nr; left < nr {
		return 1<<left - 1
	}
	return ^uint32(0)
}

// choose calls done for each row with its k largest positive keys in order of
// latent, from the goroutine that worked on it, and returns the first row that
// holds a NaN, or -1.
func (e *encoder) choose(dict *dictionary, rows, k int, done func(row int, keys []key)) int {
	panels := (dict.n + nr - 1) / nr
	blocks, splits := e.partition(roundUp(rows, mr)/mr, panels, k, dict.n)
	nan := make([]int, int(e.crew))
	for i := range nan {
		nan[i] = rows
	}
	finish := func(worker, row int, keys []key) {
		for _, x := range keys {
			if x.isNaN() {
				nan[worker] = min(nan[worker], row)
				return
			}
		}
		done(row, keys)
	}
	for len(e.work) < int(e.crew) {
		e.work = append(e.work, &encoderWork{})
	}
	if splits > 1 {
		e.cand = resize(e.cand, rows*splits*k)
		e.nCand = resize(e.nCand, rows*splits)
	}
	e.crew.do(blocks*splits, func(worker, task int) {
		w := e.work[worker]
		t0, t1 := span(task/splits, blocks, roundUp(rows, mr)/mr)
		p0, p1 := span(task%splits, splits, panels)
		last := min(t1*mr, rows)
		w.sieve.shape(last-t0*mr, k, dict.n)
		e.sift(w, dict, t0, t1, p0, p1, last)
		for row := t0 * mr; row < last; row++ {
			keys := w.sieve.kept(row - t0*mr)
			if splits == 1 {
				finish(worker, row, keys)
				continue
			}
			i := row*splits + task%splits
			e.nCand[i] = copy(e.cand[i*k:(i+1)*k], keys)
		}
	})
	if splits > 1 {
		e.crew.do(blocks, func(worker, i int) {
			t0, t1 := span(i, blocks, roundUp(rows, mr)/mr)
			var all, scratch []key
			for row := t0 * mr; row < min(t1*mr, rows); row++ {
				all = all[:0]
				for s := range splits {
					j := row*splits + s
					all = append(all, e.cand[j*k:][:e.nCand[j]]...)
				}
				if len(all) > k {
					scratch = append(scratch[:0], all...)
					least, n := kthLargest(scratch, k), 0
					for _, x := range all {
						all[n] = x
						if x >= least {
							n++
						}
					}
					all = all[:n]
				}
				finish(worker, row, all)
			}
		})
	}
	first := rows
	for _, row := range nan {
		first = min(first, row)
	}
	if first < rows {
		return first
	}
	return -1
}

// sift streams panels p0 … p1 of latents past the token panels t0 … t1.
func (e *encoder) sift(w *encoderWork, dict *dictionary, t0, t1, p0, p1, rows int) {
	d := e.z.d
	for p := p0; p < p1; p++ {
		allowed := dict.mask(p)
		if allowed == 0 {
			continue
		}
		panel := dict.w[p*d*nr : (p+1)*d*nr]
		bias := (*[nr]float32)(dict.bias[p*nr:])
		for t := t0; t < t1; t++ {
			first := (t - t0) * mr
			above := (*[mr]float32)(w.sieve.above[first:])
			e.kern.tile(e.xs[t*mr*d:(t+1)*mr*d], panel, bias, above, &w.out, &w.hit)
			for r := range min(mr, rows-t*mr) {
				if hits := w.hit[r] & allowed; hits != 0 {
					w.sieve.add(first+r, hits, &w.out[r], p*nr)
				}
			}
		}
	}
}

// Bounds of one task of the encoder: its packed tokens should stay in the L2
// cache while the latents stream past, and so should its candidates.
const (
	taskBytes = 256 << 10
	minBlock  = 4 // token panels; below it, latents are split instead
)

// partition cuts tokens into blocks and, where those are fewer than the crew,
// latents into splits. The choice is
// exact, so the cut may depend on the number of threads.
func (e *encoder) partition(tokenPanels, latentPanels, k, latents int) (blocks, splits int) {
	each := min(taskBytes/(mr*e.z.d*4), 4*taskBytes/(mr*sieveRoom(k, latents)*8))
	blocks = min(tokenPanels, (tokenPanels+max(each, 1)-1)/max(each, 1))
	blocks = min(tokenPanels, roundUp(blocks, int(e.crew)))
	splits = 1
	if per := tokenPanels / blocks; per < minBlock && int(e.crew) > 1 {
		blocks = max(1, tokenPanels/minBlock)
		splits = min(latentPanels, (int(e.crew)+blocks-1)/blocks)
	}
	return blocks, splits
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// encodeRows is how many rows Encode takes at a time.
const encodeRows = 1024

// Encode implements trainer.Model.
func (m *model) Encode(x []float32, k int, among []bool, acts []float32, latents []int32) error {
	rows := len(x) / m.z.d
	dict := dictionary{w: m.w.wEnc, bias: m.w.bEnc, n: m.z.f}
	count := m.z.f
	if among != nil {
		if len(among) != m.z.f {
			return fmt.Errorf("encode: among has %d latents, the dictionary %d", len(among), m.z.f)
		}
		dict.allowed = make([]uint32, m.z.panels)
		for f, ok := range among {
			if ok {
				dict.allowed[f/nr] |= 1 << (f % nr)
			}
		}
		count = 0
		for _, w := range dict.allowed {
			count += bits.OnesCount32(w)
		}
	}
	switch {
	case len(x) != rows*m.z.d:
		return fmt.Errorf("encode: %d values are not rows of width %d", len(x), m.z.d)
	case k < 1 || k > count:
		return fmt.Errorf("encode: k is %d, with %d latents to choose from", k, count)
	case len(acts) != rows*k || len(latents) != rows*k:
		return fmt.Errorf("encode: room for %d activations and %d latents, want %d", len(acts), len(latents), rows*k)
	}
	for from := 0; from < rows; from += encodeRows {
		n := min(encodeRows, rows-from)
		m.enc.pack(x[from*m.z.d:(from+n)*m.z.d], m.w.bDec, nil)
		bad := m.enc.choose(&dict, n, k, func(row int, keys []key) {
			at := (from + row) * k
			fill(acts[at:at+k], latents[at:at+k], keys, &dict)
		})
		if bad >= 0 {
			return m.numeric("encode: the pre-activations of row %d hold a NaN", from+bad)
		}
	}
	return nil
}

// fill writes the kept keys and, where they are fewer than there is room for,
// the lowest other latents admitted, at zero.
func fill(acts []float32, latents []int32, keys []key, dict *dictionary) {
	for i, x := range keys {
		acts[i], latents[i] = x.act(), int32(x.latent())
	}
	n := len(keys)
	for f := 0; n < len(acts); f++ {
		if len(keys) > 0 && keys[0].latent() == f {
			keys = keys[1:]
			continue
		}
		if dict.mask(f/nr)>>(f%nr)&1 != 0 {
			acts[n], latents[n] = 0, int32(f)
			n++
		}
	}
}
