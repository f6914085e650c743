package cpu

import (
	"fmt"
	"math"
	"slices"
)

// An encoder computes, for rows of x, the k largest ReLU pre-activations among
// some latents. What it computes of the others lives in registers and one tile at
// a time; the whole of the pre-activations is never stored.
type encoder struct {
	m       *model
	words   []float32        // [tokens/mr][words(D)][mr]
	bounds  [][2][mr]float32 // [tokens/mr]: of each token unit, and share of the margins
	centred []float32        // [rows,dPad] x − b_dec
	work    []*encoderWork
}

// encoderWork is what one goroutine keeps between tasks.
type encoderWork struct {
	e      *encoder
	first  int     // token of the sieves' first row
	sieves []sieve // one a selection
	out    [mr][nr]float32
	hit    [mr]uint32
	rows   []float32 // [mr,dPad] words of a panel's rows
	ids    []int32
	dots   []float32
	badRow int // first row seen with a NaN
}

// pack centres the rows of x_nD, into rows of width dPad of centred, and packs
// their words.
func (e *encoder) pack(x, centred []float32) {
	m := e.m
	z, s := m.z, &m.kern.screening
	rows, words, width := len(x)/z.d, s.words(z.d), z.dPad/s.perWord
	panels := roundUp(rows, mr) / mr
	e.words, e.bounds, e.centred = resize(e.words, panels*mr*words), resize(e.bounds, panels), centred
	e.ready()
	latents, blocks, beta := slices.Max(m.screen.reach), s.blocks(z.d), s.beta(z.d)
	m.crew.do(panels, func(worker, i int) {
		w, b := e.work[worker], &e.bounds[i]
		*b = [2][mr]float32{}
		for r := range mr {
			row, to := i*mr+r, w.rows[r*width:(r+1)*width]
			if row >= rows {
				clear(to)
				continue
			}
			out := centred[row*z.dPad:][:z.dPad]
			for j, v := range x[row*z.d : (row+1)*z.d] {
				out[j] = v - m.w.bDec[j]
			}
			reach := s.reach(m.kern, out, blocks)
			scale, unit := s.scale(reach, blocks)
			s.quantize(to, out, scale)
			b[0][r], b[1][r] = unit, s.share(reach, latents, beta)
		}
		m.kern.transpose(e.words[i*mr*words:(i+1)*mr*words], w.rows[:mr*width], mr)
	})
}

// ready makes what each of the crew needs.
func (e *encoder) ready() {
	for len(e.work) < int(e.m.crew) {
		e.work = append(e.work, &encoderWork{e: e, rows: make([]float32, mr*e.m.z.dPad)})
	}
}

// atLeast implements judge.
func (w *encoderWork) atLeast(row int, bounds []key, decided int) float32 {
	token := w.first + row
	share, latents, least := w.e.bounds[token/mr][1][token%mr], w.e.m.screen.bounds, float32(math.Inf(1))
	for _, x := range bounds {
		v, f := x.act(), x.latent()
		if f > decided {
			if !(v <= math.MaxFloat32) { // NaN or overflown: it says nothing
				return 0
			}
			b := &latents[f/nr]
			v -= 2 * (share*b[1][f%nr] + b[3][f%nr])
		}
		if v < least { // not so for NaN, which stays whatever the bar
			least = v
		}
	}
	return max(0, least)
}

// decide implements judge: the pre-activations in float32.
func (w *encoderWork) decide(row int, bounds []key) []key {
	m := w.e.m
	w.ids, w.dots = w.ids[:0], resize(w.dots, len(bounds))
	for _, x := range bounds {
		w.ids = append(w.ids, int32(x.latent()))
	}
	m.kern.dots(w.dots, m.bat.row(w.e.centred, w.first+row), m.w.wEnc, w.ids)
	n := 0
	for i, f := range w.ids {
		if v := w.dots[i] + m.w.bEnc[f]; !(v <= 0) {
			bounds[n] = keyOf(v, int(f))
			n++
		}
	}
	return bounds[:n]
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
func (e *encoder) choose(rows int, sels ...selection) int {
	panels, tokens := e.m.z.panels, (rows+mr-1)/mr
	blocks, splits := e.partition(tokens, panels, sels)
	for _, w := range e.work {
		w.sieves = resize(w.sieves, len(sels))
		w.badRow = rows
	}
	var merge [][]key // [rows·splits][sels], where latents are split
	if splits > 1 {
		merge = make([][]key, rows*splits*len(sels))
	}
	e.m.crew.do(blocks*splits, func(worker, task int) {
		w, split := e.work[worker], task%splits
		t0, t1 := span(task/splits, blocks, tokens)
		p0, p1 := span(split, splits, panels)
		last := min(t1*mr, rows)
		w.first = t0 * mr
		for i := range sels {
			w.sieves[i].shape(last-w.first, sels[i].k, sels[i].count)
		}
		w.sift(sels, t0, t1, p0, p1, last)
		for row := w.first; row < last; row++ {
			for i := range sels {
				keys := w.sieves[i].kept(row-w.first, w)
				if splits > 1 {
					merge[(row*splits+split)*len(sels)+i] = append([]key(nil), keys...)
					continue
				}
				w.finish(&sels[i], row, keys)
			}
		}
	})
	if splits > 1 {
		e.m.crew.do(rows, func(worker, row int) {
			w := e.work[worker]
			w.first = row // of another task, or another encoding, until now
			for i := range sels {
				w.sieves[i].shape(1, splits*sels[i].k, splits*sels[i].k)
				s := &w.sieves[i]
				for split := range splits {
					s.n[0] += copy(s.keys[s.n[0]:], merge[(row*splits+split)*len(sels)+i])
				}
				s.k, s.decided[0] = sels[i].k, s.n[0]
				w.finish(&sels[i], row, s.kept(0, w))
			}
		})
	}
	first := rows
	for _, w := range e.work {
		first = min(first, w.badRow)
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
			w.badRow = min(w.badRow, row)
			return
		}
	}
	s.done(row, keys)
}

// sift streams panels p0 … p1 of latents past the token panels t0 … t1.
func (w *encoderWork) sift(sels []selection, t0, t1, p0, p1, rows int) {
	e, m := w.e, w.e.m
	words := m.kern.words(m.z.d)
	for p := p0; p < p1; p++ {
		wanted := uint32(0)
		for i := range sels {
			wanted |= sels[i].allowed[p]
		}
		if wanted == 0 {
			continue
		}
		latents := m.screen.panel(m.z, p)[:words*nr]
		for t := t0; t < t1; t++ {
			tokens := e.words[t*mr*words : (t+1)*mr*words]
			clear(w.out[:])
			for from := 0; from < words; from += blockWords {
				to := min(from+blockWords, words)
				m.kern.product(tokens[from*mr:to*mr], latents[from*nr:to*nr], &w.out)
			}
			first := (t - t0) * mr
			for i := range sels {
				s, allowed := &w.sieves[i], sels[i].allowed[p]
				above := (*[mr]float32)(s.above[first:])
				if i == 0 {
					m.kern.bound(&w.out, &e.bounds[t], &m.screen.bounds[p], above, &w.hit)
				} else if allowed != 0 {
					m.kern.over(&w.out, above, &w.hit)
				} else {
					continue
				}
				for r := range min(mr, rows-t*mr) {
					if hits := w.hit[r] & allowed; hits != 0 {
						s.add(first+r, hits, &w.out[r], p*nr, w)
					}
				}
			}
		}
	}
}

// Bounds of one task of the encoder: its packed tokens should stay in the L2
// cache while the latents stream past, and so should its candidates.
const (
	taskBytes = 512 << 10
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
	crew := int(e.m.crew)
	each := max(1, min(taskBytes/(mr*e.m.kern.words(e.m.z.d)*4), 2*taskBytes/(mr*candidates)))
	blocks = (tokens + each - 1) / each
	blocks = min(tokens, roundUp(blocks, crew))
	splits = 1
	if tokens/blocks < minBlock && crew > 1 {
		blocks = max(1, tokens/minBlock)
		splits = min(panels, (crew+blocks-1)/blocks)
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
		m.rows = resize(m.rows, n*m.z.dPad)
		m.enc.pack(x[from*m.z.d:(from+n)*m.z.d], m.rows)
		if bad := m.enc.choose(n, sel); bad >= 0 {
			return m.numeric("encode: the pre-activations of row %d hold a NaN", from+bad)
		}
	}
	return nil
}

// allLatents admits every latent.
func allLatents(z sizes) []uint32 {
	masks := make([]uint32, z.panels)
	for p := range masks {
		masks[p] = ^uint32(0)
	}
	if tail := z.f % nr; tail != 0 {
		masks[len(masks)-1] = 1<<tail - 1
	}
	return masks
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
