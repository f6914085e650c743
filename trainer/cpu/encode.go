package cpu

import "fmt"

// An encoder computes, for rows of x, the k largest ReLU pre-activations among
// some latents. The pre-activations live in registers and one tile at a time;
// the whole of them is never stored.
type encoder struct {
	z    sizes
	kern *kernels
	crew crew
	xs   []float32 // packed x − b_dec: [rows/mr][D][mr]
	work []*encoderWork
}

// encoderWork is what one goroutine keeps between tasks.
type encoderWork struct {
	sieves []sieve // one a selection
	out    [mr][nr]float32
	hit    [mr]uint32
	nan    int // first row seen with a NaN
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

// A dictionary is the latents that an encoding computes.
type dictionary struct {
	w, bias []float32 // packed panels and their biases
	n       int       // latents
}

// all admits every latent.
func (d *dictionary) all() []uint32 {
	masks := make([]uint32, (d.n+nr-1)/nr)
	for p := range masks {
		masks[p] = ^uint32(0)
	}
	if tail := d.n % nr; tail != 0 {
		masks[len(masks)-1] = 1<<tail - 1
	}
	return masks
}

// A selection is a choice among the pre-activations of one encoding: for each
// row, the k largest positive ones of the latents admitted.
type selection struct {
	k       int
	allowed []uint32 // bit j of allowed[p] admits latent p·nr+j
	count   int      // latents admitted

	// done is called for each row with the chosen keys in order of latent, from
	// the goroutine that worked on it. The keys are its only until it returns.
	done func(row int, keys []key)
}

// choose encodes the packed rows and makes the selections. It returns the first
// row with a NaN among the keys chosen, or -1.
func (e *encoder) choose(dict *dictionary, rows int, sels ...selection) int {
	panels, tokens := (dict.n+nr-1)/nr, (rows+mr-1)/mr
	blocks, splits := e.partition(tokens, panels, sels)
	for len(e.work) < int(e.crew) {
		e.work = append(e.work, &encoderWork{})
	}
	for _, w := range e.work {
		w.sieves = resize(w.sieves, len(sels))
		w.nan = rows
	}
	var merge [][]key // [rows·splits][sels], where latents are split
	if splits > 1 {
		merge = make([][]key, rows*splits*len(sels))
	}
	e.crew.do(blocks*splits, func(worker, task int) {
		w, split := e.work[worker], task%splits
		t0, t1 := span(task/splits, blocks, tokens)
		p0, p1 := span(split, splits, panels)
		last := min(t1*mr, rows)
		for i := range sels {
			w.sieves[i].shape(last-t0*mr, sels[i].k, sels[i].count)
		}
		e.sift(w, dict, sels, t0, t1, p0, p1, last)
		for row := t0 * mr; row < last; row++ {
			for i := range sels {
				keys := w.sieves[i].kept(row - t0*mr)
				if splits > 1 {
					merge[(row*splits+split)*len(sels)+i] = append([]key(nil), keys...)
					continue
				}
				w.finish(&sels[i], row, keys)
			}
		}
	})
	if splits > 1 {
		e.crew.do(rows, func(worker, row int) {
			w := e.work[worker]
			for i := range sels {
				w.sieves[i].shape(1, splits*sels[i].k, splits*sels[i].k)
				s := &w.sieves[i]
				for split := range splits {
					s.n[0] += copy(s.keys[s.n[0]:], merge[(row*splits+split)*len(sels)+i])
				}
				s.k = sels[i].k
				w.finish(&sels[i], row, s.kept(0))
			}
		})
	}
	first := rows
	for _, w := range e.work {
		first = min(first, w.nan)
	}
	if first < rows {
		return first
	}
	return -1
}

// finish hands a row's keys on, unless one is a NaN.
func (w *encoderWork) finish(s *selection, row int, keys []key) {
	for _, x := range keys {
		if x.isNaN() {
			w.nan = min(w.nan, row)
			return
		}
	}
	s.done(row, keys)
}

// sift streams panels p0 … p1 of latents past the token panels t0 … t1.
func (e *encoder) sift(w *encoderWork, dict *dictionary, sels []selection, t0, t1, p0, p1, rows int) {
	d := e.z.d
	for p := p0; p < p1; p++ {
		wanted := uint32(0)
		for i := range sels {
			wanted |= sels[i].allowed[p]
		}
		if wanted == 0 {
			continue
		}
		panel := dict.w[p*d*nr : (p+1)*d*nr]
		bias := (*[nr]float32)(dict.bias[p*nr:])
		for t := t0; t < t1; t++ {
			first := (t - t0) * mr
			for i := range sels {
				s, allowed := &w.sieves[i], sels[i].allowed[p]
				above := (*[mr]float32)(s.above[first:])
				if i == 0 {
					e.kern.tile(e.xs[t*mr*d:(t+1)*mr*d], panel, bias, above, &w.out, &w.hit)
				} else if allowed != 0 {
					e.kern.over(&w.out, above, &w.hit)
				} else {
					continue
				}
				for r := range min(mr, rows-t*mr) {
					if hits := w.hit[r] & allowed; hits != 0 {
						s.add(first+r, hits, &w.out[r], p*nr)
					}
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
// latents into splits. The selections are exact, so that the cut may depend on
// the number of threads.
func (e *encoder) partition(tokens, panels int, sels []selection) (blocks, splits int) {
	candidates := 0
	for i := range sels {
		candidates += 8 * sieveRoom(sels[i].k, sels[i].count)
	}
	each := max(1, min(taskBytes/(mr*e.z.d*4), 2*taskBytes/(mr*candidates)))
	blocks = (tokens + each - 1) / each
	blocks = min(tokens, roundUp(blocks, int(e.crew)))
	splits = 1
	if tokens/blocks < minBlock && int(e.crew) > 1 {
		blocks = max(1, tokens/minBlock)
		splits = min(panels, (int(e.crew)+blocks-1)/blocks)
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
	sel := selection{k: k, allowed: m.all, count: m.z.f}
	if among != nil {
		if len(among) != m.z.f {
			return fmt.Errorf("encode: among has %d latents, the dictionary %d", len(among), m.z.f)
		}
		sel.allowed, sel.count = make([]uint32, m.z.panels), 0
		for f, ok := range among {
			if ok {
				sel.allowed[f/nr] |= 1 << (f % nr)
				sel.count++
			}
		}
	}
	switch {
	case len(x) != rows*m.z.d:
		return fmt.Errorf("encode: %d values are not rows of width %d", len(x), m.z.d)
	case k < 1 || k > sel.count:
		return fmt.Errorf("encode: k is %d, with %d latents to choose from", k, sel.count)
	case len(acts) != rows*k || len(latents) != rows*k:
		return fmt.Errorf("encode: room for %d activations and %d latents, want %d", len(acts), len(latents), rows*k)
	}
	for from := 0; from < rows; from += encodeRows {
		n := min(encodeRows, rows-from)
		sel.done = func(row int, keys []key) {
			at := (from + row) * k
			fill(acts[at:at+k], latents[at:at+k], keys, sel.allowed)
		}
		m.enc.pack(x[from*m.z.d:(from+n)*m.z.d], m.w.bDec, nil)
		if bad := m.enc.choose(m.dictionary(), n, sel); bad >= 0 {
			return m.numeric("encode: the pre-activations of row %d hold a NaN", from+bad)
		}
	}
	return nil
}

// dictionary is the whole of the model's.
func (m *model) dictionary() *dictionary {
	return &dictionary{w: m.w.wEnc, bias: m.w.bEnc, n: m.z.f}
}

// put writes the chosen keys, and zeros where they are fewer than there is room
// for.
func put(acts []float32, latents []int32, keys []key) {
	for i, x := range keys {
		acts[i], latents[i] = x.act(), int32(x.latent())
	}
	clear(acts[len(keys):])
	clear(latents[len(keys):])
}

// fill writes the chosen keys and, where they are fewer than there is room for,
// the lowest other latents admitted, at zero.
func fill(acts []float32, latents []int32, keys []key, allowed []uint32) {
	put(acts, latents, keys)
	n := len(keys)
	for f := 0; n < len(acts); f++ {
		if len(keys) > 0 && keys[0].latent() == f {
			keys = keys[1:]
			continue
		}
		if allowed[f/nr]>>(f%nr)&1 != 0 {
			latents[n] = int32(f)
			n++
		}
	}
}
