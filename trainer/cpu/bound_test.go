package cpu

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// errors compares float32 pre-activations with the bounds of screening. Of a pair of a
// row and a latent, the error is |v − (u − margin)|: the bound holds if it is at most the
// margin. errors returns the largest quotient of the two over all pairs, and the largest
// quotient of the error and the part of the margin that γ has no share in.
func (c encodeCase) errors(m *model) (quotient, withoutGamma float64) {
	m.rows = resize(m.rows, c.rows*m.z.dPad)
	m.enc.pack(c.x, m.rows)
	w, words := m.enc.workers[0], m.screen.product.words(m.z.d)
	beta := m.screen.product.factor(c.d, m.kern.dotSums).beta
	var cutoff [mr]float32
	dot := make([]float32, 1)
	w.columns.reset(m.z.dPad)
	for p := range m.z.panels {
		w.columns.start(m, p)
		for t := range roundUp(c.rows, mr) / mr {
			tokens, latents := m.enc.words[t*mr*words:(t+1)*mr*words], m.screen.panel(m.z, p)
			clear(w.out[:])
			for from := 0; from < words; from += blockWords {
				to := min(from+blockWords, words)
				m.screen.product.product(tokens[from*mr:to*mr], latents[from*nr:to*nr], &w.out)
			}
			m.kern.bound(&w.out, &m.enc.bounds[t], &m.screen.bounds[p], &cutoff, &w.hit)
			if o := &m.enc.outliers[t]; len(o.columns) > 0 {
				w.addOutliers(o, p, &cutoff)
			}
			for r := range min(mr, c.rows-t*mr) {
				for j := range min(nr, c.f-p*nr) {
					m.kern.dots(dot, m.rows[(t*mr+r)*m.z.dPad:][:m.z.dPad], m.w.wEnc, []int32{int32(p*nr + j)})
					bound, latent := &m.enc.bounds[t], &m.screen.bounds[p]
					margin := float64(bound[1][r])*float64(latent[1][j]) + float64(latent[3][j]) +
						float64(m.enc.wide[t][r])*float64(m.screen.wide[p][j])
					v := float64(dot[0] + c.bEnc[p*nr+j])
					diff := math.Abs(v - (float64(w.out[r][j]) - margin))
					if margin > 0 || diff > 0 {
						quotient = max(quotient, diff/margin)
					}
					// r(s) is the norm that the words are scaled by.
					rest := float64(bound[0][r]) * maxQuant * math.Sqrt(float64(m.screen.product.blocks(c.d)))
					withoutGamma = max(withoutGamma, diff/(beta*rest*float64(latent[1][j])+float64(latent[3][j])))
				}
			}
		}
	}
	return quotient, withoutGamma
}

// halves returns n numbers that all round up by nearly half a unit when they are
// quantized, the worst that rounding can do: k + 0.501 of the units that their norm, of
// maxQuant units, is measured in.
func halves(n int) []float32 {
	v, square := make([]float32, n), 0.0
	least := math.Floor(maxQuant/math.Sqrt(float64(n)) - 40)
	for i := range v {
		v[i] = float32(least + 0.501)
		square += float64(v[i]) * float64(v[i])
	}
	for i := 0; square < maxQuant*maxQuant; i = (i + 1) % n { // whole units more, to the norm
		square += 2*float64(v[i]) + 1
		v[i]++
	}
	return v
}

// The bounds hold where all numbers of tokens and latents round the same way, beside
// outliers and wide columns, and half the margin would not do.
func TestBoundUnderStrain(t *testing.T) {
	const d, outliers = 512, 3
	rest := halves(d - outliers)
	for _, path := range []string{"avx2", "avx512vnni"} {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		for name, s := range map[string]struct{ x, w float32 }{
			"neither": {0, 0}, "outliers": {2e5, 0}, "outliers that count": {2e5, 1}, "wide columns": {0, 2e5},
			"wide columns that count": {1, 2e5},
		} {
			c := encodeCase{d: d, f: 64, k: 4, rows: 13, bEnc: make([]float32, 64), bDec: make([]float32, d)}
			for range c.rows {
				c.x = append(append(c.x, s.x, -s.x, s.x), rest...)
			}
			for range c.f {
				c.wEnc = append(append(c.wEnc, s.w, s.w, s.w), rest...)
			}
			got, _ := c.errors(c.model(t, kern, 1))
			if !(got <= 1) {
				t.Errorf("%s, %s: an error of %.3f margins", path, name, got)
			}
			if !(got > 0.6) {
				t.Errorf("%s, %s: the largest error is %.3f margins: half the margin would do", path, name, got)
			}
			c.check(t)
		}
	}
}

// The part of the margin for float32 sums is needed: beside outliers, their rounding is
// more than that of the rest to integers.
func TestBoundOfFloatSums(t *testing.T) {
	for _, path := range Paths() {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		for name, by := range map[string]struct{ x, w float32 }{
			"outliers": {1e8, 1}, "wide columns": {1, 1e8}, "both": {1e4, 1e4},
		} {
			r := rand.New(rand.NewPCG(5, 6))
			c := encodeCase{d: 64, f: 320, k: 4, rows: 26, bEnc: make([]float32, 320), bDec: make([]float32, 64)}
			rows := func(n int, by float32) []float32 {
				v := make([]float32, n*c.d)
				for i := range v {
					v[i] = float32(r.NormFloat64())
				}
				for i := 0; i < len(v); i += c.d {
					v[i] *= by
				}
				return v
			}
			c.x, c.wEnc = rows(c.rows, by.x), rows(c.f, by.w)
			got, withoutGamma := c.errors(c.model(t, kern, 1))
			if !(got <= 1) {
				t.Errorf("%s, %s: an error of %.3f margins", path, name, got)
			}
			if kern.screen.perWord > 1 && !(withoutGamma > 1) {
				t.Errorf("%s, %s: the largest error is only %.3f of the margin without γ", path, name, withoutGamma)
			}
			c.check(t)
		}
	}
}

// FuzzOutliers lets the fuzzer choose how many coordinates of the rows and of the weights
// are multiplied by how much, at the same places in all rows or not, and holds the bounds
// and the selections to the plain product in float32.
func FuzzOutliers(f *testing.F) {
	f.Add(uint16(100), uint16(70), byte(1), byte(30), byte(0), byte(0), true, uint64(1))
	f.Add(uint16(511), uint16(300), byte(4), byte(60), byte(2), byte(30), false, uint64(2))
	f.Add(uint16(64), uint16(40), byte(16), byte(20), byte(16), byte(60), true, uint64(3))
	f.Add(uint16(1), uint16(33), byte(1), byte(255), byte(1), byte(255), false, uint64(4))
	f.Add(uint16(600), uint16(90), byte(90), byte(25), byte(3), byte(40), false, uint64(5))
	f.Add(uint16(96), uint16(90), byte(2), byte(200), byte(3), byte(10), true, uint64(6))
	f.Fuzz(func(t *testing.T, d, latents uint16, nX, sizeX, nW, sizeW byte, same bool, seed uint64) {
		c := encodeCase{d: 1 + int(d)%700, f: 1 + int(latents)%400, rows: 14}
		c.k = 1 + c.f/30
		r := rand.New(rand.NewPCG(seed, binary.BigEndian.Uint64([]byte("outliers"))))
		rows := func(rows, n int, size byte) []float32 {
			by := math.Pow(10, float64(size)/10) // 1 to 1e6 for sizes up to 60, then more
			if size > 200 {
				by = math.Pow(10, -float64(size-200)/1.4) // denormals too
			}
			v, at := make([]float32, rows*c.d), r.Perm(c.d)
			for i := range v {
				v[i] = float32(r.NormFloat64())
			}
			for row := range rows {
				if !same {
					at = r.Perm(c.d)
				}
				for _, j := range at[:min(n, c.d)] {
					v[row*c.d+j] *= float32(by)
				}
				if r.IntN(5) == 0 { // equal rows: ties
					copy(v[row*c.d:(row+1)*c.d], v[:c.d])
				}
			}
			return v
		}
		c.x, c.wEnc = rows(c.rows, int(nX)%64, sizeX), rows(c.f, int(nW)%64, sizeW)
		c.bEnc, c.bDec = make([]float32, c.f), make([]float32, c.d)
		for i := range c.bEnc {
			c.bEnc[i] = float32(r.NormFloat64())
		}
		c.check(t)
		for _, path := range Paths() {
			if kern := kernelsOf(path); kern != nil {
				if got, _ := c.errors(c.model(t, kern, 1)); !(got <= 1) {
					t.Errorf("%s: an error of %.3f margins", path, got)
				}
			}
		}
	})
}
