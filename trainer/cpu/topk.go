package cpu

// A selection asks for the k largest positive pre-activations of each row, among
// the latents allowed.
type selection struct {
	k       int
	allowed []uint32 // [panels]: bit j of allowed[p] allows latent p·nr+j
	count   int      // latents allowed

	// done is called once for each row, with the selected keys in order of latent, on
	// the goroutine that worked on the row. It must not keep the keys.
	done func(row int, keys []key)
}

// topK makes the selections of the packed rows, all in one pass over the encoder. It
// returns the first row with a NaN among its selected keys, or -1; done is not called
// for such a row.
func (e *encoder) topK(rows int, sels ...selection) int {
	panels, tokens := e.m.z.panels, (rows+mr-1)/mr
	blocks, splits := e.partition(tokens, panels, sels)
	for _, w := range e.workers {
		w.candidates = resize(w.candidates, len(sels))
		w.nanRow, w.evaluated = rows, 0
	}
	tiles := make([][]int, len(sels))
	for i := range sels {
		tiles[i] = e.m.tilesOf(&sels[i])
	}
	var parts [][]key // [rows·splits][selections]: what each split selected
	if splits > 1 {
		parts = make([][]key, rows*splits*len(sels))
	}
	e.m.workers.do(blocks*splits, func(worker, task int) {
		w, split := e.workers[worker], task%splits
		t0, t1 := span(task/splits, blocks, tokens)
		p0, p1 := span(split, splits, panels)
		last := min(t1*mr, rows)
		w.first = t0 * mr
		for i := range sels {
			w.candidates[i].reset(last-w.first, sels[i].k, sels[i].count)
		}
		w.scan(sels, t0, t1, p0, p1, last)
		for i := range sels {
			w.evaluateTiles(&w.candidates[i], last-w.first, tiles[i])
		}
		for row := w.first; row < last; row++ {
			for i := range sels {
				keys := w.candidates[i].selected(row-w.first, w)
				if splits > 1 {
					parts[(row*splits+split)*len(sels)+i] = append([]key(nil), keys...)
					continue
				}
				w.finish(&sels[i], row, keys)
			}
		}
	})
	if splits > 1 {
		e.m.workers.do(rows, func(worker, row int) { e.workers[worker].merge(sels, row, splits, parts) })
	}
	e.judge(rows, splits, sels)
	first := rows
	for _, w := range e.workers {
		first = min(first, w.nanRow)
	}
	if first < rows {
		return first
	}
	return -1
}

// merge makes a row's selections from those that the splits made.
func (w *encodeWorker) merge(sels []selection, row, splits int, parts [][]key) {
	w.first = row // until now it was that of another task, or of another encoding
	for i := range sels {
		c := &w.candidates[i]
		c.reset(1, splits*sels[i].k, splits*sels[i].k)
		for split := range splits {
			c.n[0] += copy(c.keys[c.n[0]:], parts[(row*splits+split)*len(sels)+i])
		}
		c.k, c.exact[0] = sels[i].k, c.n[0]
		w.finish(&sels[i], row, c.selected(0, w))
	}
}

// finish calls done with a row's keys, unless one is a NaN.
func (w *encodeWorker) finish(s *selection, row int, keys []key) {
	for _, x := range keys {
		if x.isNaN() {
			w.nanRow = min(w.nanRow, row)
			return
		}
	}
	s.done(row, keys)
}

// scan screens panels p0 … p1−1 of latents for token panels t0 … t1−1, of rows rows
// in all, and gathers the candidates.
func (w *encodeWorker) scan(sels []selection, t0, t1, p0, p1, rows int) {
	e, m := w.e, w.e.m
	words := m.screen.product.words(m.z.d)
	w.columns.reset(m.z.dPad)
	for p := p0; p < p1; p++ {
		wanted := uint32(0)
		for i := range sels {
			wanted |= sels[i].allowed[p]
		}
		if wanted == 0 {
			continue
		}
		w.columns.start(m, p)
		latents := m.screen.panel(m.z, p)[:words*nr]
		for t := t0; t < t1; t++ {
			tokens := e.words[t*mr*words : (t+1)*mr*words]
			clear(w.out[:])
			for from := 0; from < words; from += blockWords {
				to := min(from+blockWords, words)
				m.screen.product.product(tokens[from*mr:to*mr], latents[from*nr:to*nr], &w.out)
			}
			first := (t - t0) * mr
			for i := range sels {
				c, allowed := &w.candidates[i], sels[i].allowed[p]
				cutoff := (*[mr]float32)(c.cutoff[first:])
				if i == 0 {
					m.kern.bound(&w.out, &e.bounds[t], &m.screen.bounds[p], cutoff, &w.hit)
					if o := &e.outliers[t]; len(o.columns) > 0 {
						w.addOutliers(o, p, cutoff)
					}
				} else if allowed != 0 {
					m.kern.over(&w.out, cutoff, &w.hit)
				} else {
					continue
				}
				for r := range min(mr, rows-t*mr) {
					if hits := w.hit[r] & allowed; hits != 0 {
						c.add(first+r, hits, &w.out[r], p*nr, w)
					}
				}
			}
		}
	}
}

// addOutliers adds to the bounds in w.out, of some tokens and latent panel p, the
// products of what is split off the tokens, at least one column, and sets w.hit anew.
// w.columns must be at panel p.
func (w *encodeWorker) addOutliers(o *outlierPanel, p int, cutoff *[mr]float32) {
	m := w.e.m
	m.kern.gemm(o.x, w.columns.of(m, p, o.columns), &w.out)
	m.kern.over(&w.out, cutoff, &w.hit)
}

// Limits of one task of topK: its packed tokens should stay in the L2 cache while
// the latents are read once, and so should its candidates.
const (
	taskBytes = 512 << 10
	minBlock  = 4 // token panels; with fewer in a task, latents are split instead
)

// partition cuts tokens token panels into blocks. Where those are fewer than the
// workers, it cuts the panels of latents into splits too: a task is a block by a
// split. The cut may depend on the number of workers, since the selections are exact.
func (e *encoder) partition(tokens, panels int, sels []selection) (blocks, splits int) {
	candidateBytes := 0 // of one token
	for i := range sels {
		candidateBytes += 8 * candidateRoom(sels[i].k, sels[i].count)
	}
	threads := int(e.m.workers)
	tokenBytes := 4 * e.m.screen.product.words(e.m.z.d)
	perTask := max(1, min(taskBytes/(mr*tokenBytes), 2*taskBytes/(mr*candidateBytes)))
	blocks = (tokens + perTask - 1) / perTask
	blocks = min(tokens, roundUp(blocks, threads))
	splits = 1
	if tokens/blocks < minBlock && threads > 1 {
		blocks = max(1, tokens/minBlock)
		splits = min(panels, (threads+blocks-1)/blocks)
	}
	return blocks, splits
}

// resize returns s with length n. Its elements are whatever was there before: the
// caller overwrites or clears them.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
