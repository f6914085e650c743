package cpu

// subtractDead sets rows from … to−1 of AuxK's residual to what AuxK's reconstruction leaves of the residual, by tiles
// of dead latents if that is worth it.
func (m *model) subtractDead(w *scratch, from, to, k int) {
	a, b, deads, tile := &m.aux, &m.batch, m.aux.deads, m.z.tileRows()
	if !m.z.worthTiles(k, len(deads)) {
		tile = len(deads)
	}
	w.next = resize(w.next, to-from)
	clear(w.next)
	for first := 0; first < len(deads); first += tile {
		end := min(first+tile, len(deads))
		for row := from; row < to; row++ {
			acts, latents := a.acts[row*k:(row+1)*k], a.latents[row*k:(row+1)*k]
			i := w.next[row-from]
			n := i
			for n < k && int(latents[n]) < end && acts[n] > 0 {
				n++
			}
			w.next[row-from] = n
			left, start := b.row(a.residual, row), b.row(a.residual, row)
			if first == 0 {
				start = b.row(b.residual, row)
			}
			m.subtractDecoded(w, left, start, acts[i:n], latents[i:n], deads)
		}
	}
}
