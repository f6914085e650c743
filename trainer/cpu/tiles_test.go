package cpu

import (
	"slices"
	"testing"
)

// What AuxK leaves of the residual has the same bits whether a token takes its dead latents by tiles or all at once.
func TestSubtractDeadByTiles(t *testing.T) {
	const d, f, tokens, k = 1024, 400, 5, 70
	for _, path := range Paths() {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		c := encodeCase{
			d: d, f: f, k: 1, wEnc: make([]float32, f*d), bEnc: make([]float32, f), bDec: make([]float32, d),
		}
		m := c.model(t, kern, 1)
		noise(m.w.wDec, 1)
		for i := range f {
			m.decScale[i] = m.decScaleOf(m.w.decRow(m.z, i))
			if i%2 == 1 {
				m.aux.deads = append(m.aux.deads, int32(i))
			}
		}
		if !m.z.worthTiles(k, len(m.aux.deads)) {
			t.Fatal("the case has no tiles")
		}
		a := &m.aux
		a.acts, a.latents = make([]float32, tokens*k), make([]int32, tokens*k)
		a.residual, m.batch.residual = make([]float32, tokens*d), noise(make([]float32, tokens*d), 2)
		for i := range a.acts {
			token, n := i/k, i%k
			if n < k-10*token { // the later ones take fewer, and the last one 30
				a.acts[i], a.latents[i] = 1+float32(i)/7, int32(n*len(a.deads)/k)
			}
		}
		w := m.scratch[0]
		m.subtractDead(w, 1, tokens, k)
		want := make([]float32, d)
		for row := 1; row < tokens; row++ {
			m.subtractDecoded(w, want, m.batch.row(m.batch.residual, row), a.acts[row*k:(row+1)*k],
				a.latents[row*k:(row+1)*k], a.deads)
			if !slices.Equal(m.batch.row(a.residual, row), want) {
				t.Errorf("%s: token %d differs", path, row)
			}
		}
		if slices.ContainsFunc(a.residual[:d], func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: a token that was not asked for changed", path)
		}
	}
}
