package cpu

import (
	"math"
	"slices"
)

// An encoder selects, for rows of x, the k largest ReLU pre-activations among some
// latents: screening bounds all of them from above, and the candidates that are left
// are computed in float32 (see screen.go, and outliers.go for what is split off). It
// never stores the pre-activations as a whole: the bounds live in registers and in one
// tile of [mr,nr] at a time.
type encoder struct {
	m        *model
	words    []float32        // [rows/mr][words(D)][mr], rows/mr rounded up; without the outliers
	bounds   [][2][mr]float32 // [rows/mr]: of each token unscale, and marginFactor.token
	wide     [][mr]float32    // [rows/mr]: of each token γ·(r(s) + ‖o‖), if there are wide columns
	outliers []outlierPanel   // [rows/mr]
	centred  []float32        // [rows,dPad] x − b_dec
	workers  []*encodeWorker
	tooMany  bool // the last encoding evaluated too many candidates
}

// An encodeWorker is what one goroutine keeps between tasks.
type encodeWorker struct {
	e          *encoder
	first      int             // token of the candidates' first row
	candidates []candidates    // [selections]
	out        [mr][nr]float32 // one tile: products, then bounds
	hit        [mr]uint32      // bit j of hit[r]: out[r][j] is above the cutoff
	rows       []float32       // [mr,dPad] quantized words of a panel's rows
	rest       []float32       // [dPad] a row without its outliers
	found      []int32         // the outliers' coordinates
	columns    weightColumns
	ids        []int32
	dots       []float32
	next, kept []int // [rows] of evaluateTiles: the next key of a row, and how many it keeps
	evaluated  int   // candidates computed in float32
	nanRow     int   // the first row with a NaN among its selected keys
}

// pack writes the rows of x_nD less b_dec to centred, [n,dPad], and packs their words
// for screening.
func (e *encoder) pack(x, centred []float32) {
	m := e.m
	m.chooseProduct()
	m.chooseColumns()
	z, s := m.z, &m.screen.product
	rows, words, width := len(x)/z.d, s.words(z.d), z.dPad/s.perWord
	panels := roundUp(rows, mr) / mr
	e.words, e.bounds, e.centred = resize(e.words, panels*mr*words), resize(e.bounds, panels), centred
	e.wide = resize(e.wide, panels)
	e.outliers = append(e.outliers, make([]outlierPanel, max(0, panels-len(e.outliers)))...)
	for len(e.workers) < int(m.workers) {
		w := &encodeWorker{e: e, rows: make([]float32, mr*z.dPad), rest: make([]float32, z.dPad)}
		e.workers = append(e.workers, w)
	}
	latents, blocks, factor := slices.Max(m.screen.norms), s.blocks(z.d), s.factor(z.d, m.kern.dotSums)
	m.workers.do(panels, func(worker, i int) {
		w, b := e.workers[worker], &e.bounds[i]
		*b, e.wide[i] = [2][mr]float32{}, [mr]float32{}
		e.outliers[i].reset()
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
			norm, rest, outliers := s.normBound(m.kern, out, blocks), out, 0.0
			if hasOutliers(m.kern, out, norm*norm/float64(blocks), mostOutliers(z.d)) {
				rest, outliers = w.splitRow(out, &e.outliers[i], r)
				norm = s.normBound(m.kern, rest, blocks)
			}
			scale, unscale := s.scale(norm, blocks)
			s.quantize(to, rest, scale)
			b[0][r], b[1][r] = unscale, factor.token(norm, outliers, latents)
			if len(m.screen.columns) > 0 {
				e.wide[i][r] = float32(factor.gamma * (norm + outliers))
				e.outliers[i].add(marginColumn, r, e.wide[i][r])
				for _, c := range m.screen.columns {
					e.outliers[i].add(c, r, out[c])
				}
			}
		}
		m.kern.transpose(e.words[i*mr*words:(i+1)*mr*words], w.rows[:mr*width], mr)
	})
}

// splitRow splits the outliers off a centred row, and notes them as those of row r of
// the panel. It returns the rest, which is the row itself if there are none, and the
// outliers' norm.
func (w *encodeWorker) splitRow(row []float32, to *outlierPanel, r int) ([]float32, float64) {
	copy(w.rest, row)
	w.found = splitOutliers(w.rest, w.e.m.kern.sumSquares(row), mostOutliers(w.e.m.z.d), w.found)
	if len(w.found) == 0 {
		return row, 0
	}
	outliers := 0.0
	for _, j := range w.found {
		to.add(j, r, row[j])
		outliers += float64(row[j]) * float64(row[j])
	}
	return w.rest, math.Sqrt(outliers)
}

// lowerBound implements evaluator. A value is at least its upper bound less twice
// the margin.
func (w *encodeWorker) lowerBound(row int, bounds []key, exactTo int) float32 {
	token, screen := w.first+row, &w.e.m.screen
	margin, wide := w.e.bounds[token/mr][1][token%mr], w.e.wide[token/mr][token%mr]
	least := float32(math.Inf(1))
	for _, x := range bounds {
		v, f := x.act(), x.latent()
		if f > exactTo {
			if !(v <= math.MaxFloat32) { // NaN or overflow: the value may be anything
				return 0
			}
			b := &screen.bounds[f/nr]
			v -= 2 * (margin*b[1][f%nr] + b[3][f%nr])
			if wide != 0 {
				v -= 2 * wide * screen.wide[f/nr][f%nr]
			}
		}
		if v < least { // false for NaN, which is selected whatever the cutoff
			least = v
		}
	}
	return max(0, least)
}

// evaluate implements evaluator: the values are the pre-activations in float32.
func (w *encodeWorker) evaluate(row int, bounds []key) []key {
	m := w.e.m
	w.ids, w.dots = w.ids[:0], resize(w.dots, len(bounds))
	w.evaluated += len(bounds)
	for _, x := range bounds {
		w.ids = append(w.ids, int32(x.latent()))
	}
	m.kern.dots(w.dots, m.batch.row(w.e.centred, w.first+row), m.w.wEnc, w.ids)
	n := 0
	for i, f := range w.ids {
		if v := w.dots[i] + m.w.bEnc[f]; !(v <= 0) {
			bounds[n] = keyOf(v, int(f))
			n++
		}
	}
	return bounds[:n]
}
