package cpu

import "math/bits"

// Where a token takes many of few latents, as AuxK does of the dead ones, their rows are read by tiles: all tokens of
// a task take what they need of the rows of a tile, which stay in the L2 cache, before the next tile is read. The sums
// are the same, bit for bit: each token takes the latents in the same order as without tiles.
const (
	tileBytes = 256 << 10 // of a tile's rows
	tileLeast = 4         // latents that a token takes of a tile, at least: else tiles cost more than they save
)

// tileRows returns how many rows a tile has.
func (z sizes) tileRows() int { return max(1, tileBytes/(4*z.dPad)) }

// worthTiles reports whether tokens that take k of count latents each take them by tiles.
func (z sizes) worthTiles(k, count int) bool {
	return count > z.tileRows() && k*z.tileRows() >= tileLeast*count
}

// tilesOf returns the ends of the tiles that the latents of a selection are cut into, or nil if it is not worth it.
func (m *model) tilesOf(s *selection) []int {
	if !m.z.worthTiles(s.k, s.count) {
		return nil
	}
	var ends []int
	n := 0
	for p, mask := range s.allowed {
		if n += bits.OnesCount32(mask); n >= m.z.tileRows() || p == len(s.allowed)-1 {
			ends, n = append(ends, (p+1)*nr), 0
		}
	}
	return ends
}

// evaluateTiles prunes the candidates of rows rows, and replaces the upper bounds that are left by values, by tiles of
// latents with the given ends. Without tiles it does nothing: candidates.selected evaluates row by row.
func (w *encodeWorker) evaluateTiles(c *candidates, rows int, ends []int) {
	if len(ends) == 0 {
		return
	}
	w.next, w.kept = resize(w.next, rows), resize(w.kept, rows)
	for row := range rows {
		c.prune(row, w)
		w.next[row], w.kept[row] = c.exact[row], c.exact[row]
	}
	for _, end := range ends {
		for row := range rows {
			keys, from := c.keys[row*c.room:][:c.n[row]], w.next[row]
			to := from
			for to < len(keys) && keys[to].latent() < end {
				to++
			}
			if to > from {
				w.next[row] = to
				w.kept[row] += copy(keys[w.kept[row]:], w.evaluate(row, keys[from:to]))
			}
		}
	}
	for row := range rows {
		c.n[row], c.exact[row] = w.kept[row], w.kept[row]
	}
}
