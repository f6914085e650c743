package cpu

// Where rows or weights have more outliers than can be split off, integers may tell few
// latents apart. The selection is exact all the same, but most of its values are then
// computed one by one, which takes several times as long as the product. Screening in
// float32 costs twice the product and tells nearly all apart. So an encoder that
// evaluated too many candidates screens the next rows in float32. After a while it tries
// integers again. No result depends on it.

const (
	// switchAfter is how many encodings keep a kind of screening that was switched to.
	switchAfter = 64

	// judgedRows is how many rows an encoding needs to be judged. To screen the encoder
	// anew costs about as much as the product with a few rows.
	judgedRows = 64
)

// judge notes whether an encoding evaluated too many candidates: of a selection among n
// latents, more than n/16 of a row beside what an ordinary row needs. So many take about
// as long as the product in float32 takes beyond that in integers.
func (e *encoder) judge(rows, splits int, sels []selection) {
	evaluated, most := 0, 0
	for _, w := range e.workers {
		evaluated += w.evaluated
	}
	for i := range sels {
		most += rows * (sels[i].count/16 + 2*splits*sels[i].k)
	}
	e.tooMany = e.tooMany || rows >= judgedRows && evaluated > most
}

// chooseProduct decides whether the next rows are screened in integers or in float32.
//
//	integers   too many candidates   float32 for switchAfter encodings, then integers
//	float32    too many candidates   integers for switchAfter encodings: they are faster
func (m *model) chooseProduct() {
	s, tooMany := &m.screen, m.enc.tooMany
	m.enc.tooMany = false
	ints := s.product.perWord > 1
	switch {
	case m.kern.screen.perWord == 1: // the path has no integers
	case s.wait > 0 && (ints || !tooMany):
		s.wait--
	case ints && tooMany:
		s.product, s.wait = floats(m.kern.gemm), switchAfter
		m.screenAll()
	case !ints:
		s.product, s.wait = m.kern.screen, 0
		if tooMany {
			s.wait = switchAfter
		}
		m.screenAll()
	}
}
