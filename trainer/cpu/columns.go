package cpu

import "slices"

// Weights can have outliers too. Where many latents have them, they have them at the
// same coordinates, the encoder's wide columns. These are split off all latents' rows:
// their words are 0 there, and of every token the product at these coordinates is added
// in float32, as that of the token's own outliers is.
//
// A single latent with an outlier of its own needs no care. Only its own bound is coarse.

const (
	// mostColumns is how many wide columns an encoder can have.
	mostColumns = 16

	// marginColumn stands for no coordinate, but for the part of the margin that comes
	// from the wide columns. It is the first column of a panel of tokens if there are any.
	marginColumn = -1
)

// findColumns returns the wide columns of the weights as they are now. It looks at a few
// latents, and takes the coordinates at which two of them have outliers.
func (m *model) findColumns() []int32 {
	z, most := m.z, mostOutliers(m.z.d)
	sample := min(max(8, z.f/256), z.f)
	var seen, columns, found []int32
	for i := range sample {
		row := m.w.encRow(z, i*z.f/sample)
		square := m.kern.sumSquares(row)
		if !hasOutliers(m.kern, row, square, most) {
			continue
		}
		rest := m.scratch[0].rest
		copy(rest, row)
		found = splitOutliers(rest, square, most, found)
		for _, j := range found {
			if slices.Contains(seen, j) && !slices.Contains(columns, j) && len(columns) < mostColumns {
				columns = append(columns, j)
			}
		}
		seen = append(seen, found...)
	}
	return columns
}

// chooseColumns splits off the wide columns of the weights as they are now. It keeps
// those that it split off before, so that it need not screen the encoder anew whenever
// a column is wide in one step and not in the next.
func (m *model) chooseColumns() {
	found := m.findColumns()
	for _, j := range m.screen.columns {
		if !slices.Contains(found, j) {
			found = append(found, j)
		}
	}
	if found = found[:min(len(found), mostColumns)]; len(found) > len(m.screen.columns) {
		m.screen.columns = found
		m.screenAll()
	}
}

// weightColumns are the encoder's weights at some coordinates, for one panel of latents
// at a time.
type weightColumns struct {
	w        []float32 // [dPad][nr]
	panel    []int32   // [dPad] the panel of latents that w has at a coordinate, or -1
	gathered int       // coordinates of the last panel
	some     []float32 // [n][nr]
}

// reset forgets the weights, which may have changed.
func (c *weightColumns) reset(dPad int) {
	c.w, c.panel, c.gathered = resize(c.w, dPad*nr), resize(c.panel, dPad), 0
	for j := range c.panel {
		c.panel[j] = -1
	}
}

// start makes ready for panel p. Where the last panel needed many coordinates, all are
// transposed at once, which is faster.
func (c *weightColumns) start(m *model, p int) {
	if c.gathered > m.z.dPad/lane {
		m.kern.transpose(c.w, m.w.wEnc[p*nr*m.z.dPad:(p+1)*nr*m.z.dPad], nr)
		for j := range c.panel {
			c.panel[j] = int32(p)
		}
		return
	}
	c.gathered = 0
}

// of returns the weights of panel p's latents at the columns, [len(columns)][nr].
func (c *weightColumns) of(m *model, p int, columns []int32) []float32 {
	c.some = resize(c.some, len(columns)*nr)
	for i, j := range columns {
		if j == marginColumn {
			copy(c.some[i*nr:], m.screen.wide[p][:])
			continue
		}
		w := c.w[int(j)*nr:][:nr]
		if c.panel[j] != int32(p) {
			c.panel[j] = int32(p)
			c.gathered++
			for l := range w {
				w[l] = m.w.wEnc[(p*nr+l)*m.z.dPad+int(j)]
			}
		}
		copy(c.some[i*nr:], w)
	}
	return c.some
}
