package cpu

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// An encodeCase is a case of Encode: weights, rows, and what to select.
type encodeCase struct {
	d, f, k, rows    int
	wEnc, bEnc, bDec []float32
	x                []float32
	among            []bool
}

// check compares Encode, on every path and with 1 and 3 threads, bit for bit with a
// plain sort of all pre-activations. One of the models screens in float32 in every path.
func (c encodeCase) check(t *testing.T) {
	t.Helper()
	for _, path := range Paths() {
		kern := kernelsOf(path)
		if kern == nil {
			continue
		}
		var want []key
		for _, threads := range []int{1, 3} {
			m := c.model(t, kern, threads)
			m.enc.tooMany = threads == 1 // so that it falls back
			acts, latents := make([]float32, c.rows*c.k), make([]int32, c.rows*c.k)
			err := m.Encode(c.x, c.k, c.among, acts, latents)
			if want == nil {
				want = c.sorted(m)
			}
			if nan := slices.IndexFunc(want, key.isNaN); nan >= 0 {
				var num *trainer.NumericError
				row := nan / c.k
				if !errors.As(err, &num) || num.Step != 7 || !strings.Contains(err.Error(), fmt.Sprintf("row %d ", row)) {
					t.Fatalf("%s, %d threads: error %v, want one that names step 7 and row %d", path, threads, err, row)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s, %d threads: %v", path, threads, err)
			}
			for row := range c.rows {
				at := row * c.k
				got := make([]key, c.k)
				for i := range got {
					got[i] = keyOf(acts[at+i], int(latents[at+i]))
				}
				slices.SortFunc(got, func(a, b key) int { return cmp.Compare(b, a) })
				if !slices.Equal(got, want[at:at+c.k]) {
					t.Fatalf("%s, %d threads, row %d: selected %s, want %s",
						path, threads, row, format(got), format(want[at:at+c.k]))
				}
			}
		}
	}
}

// format writes keys as latent:activation.
func format(keys []key) string {
	var s []string
	for _, x := range keys {
		s = append(s, fmt.Sprintf("%d:%v", x.latent(), x.act()))
	}
	return strings.Join(s, " ")
}

// model returns a model with the weights of the case, at step 7.
func (c encodeCase) model(t *testing.T, kern *kernels, threads int) *model {
	t.Helper()
	config := trainer.Config{
		Recipe: "corrected", ActivationDim: c.d, DictSize: c.f, K: c.k, KAux: 1, BatchSize: 1,
		Steps: 10, DecayStart: 5, LR: 1,
	}
	s := trainer.NewState(config)
	copy(s.W.WEnc, c.wEnc)
	copy(s.W.BEnc, c.bEnc)
	copy(s.W.BDec, c.bDec)
	s.Step = 7
	recipe, err := trainer.RecipeByName("corrected")
	if err != nil {
		t.Fatal(err)
	}
	m, err := newModel(config, recipe, s, nil, kern, threads)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sorted returns each row's k largest pre-activations as the kernel computes them,
// the largest first.
func (c encodeCase) sorted(m *model) []key {
	var out []key
	ids, dots := make([]int32, c.f), make([]float32, c.f)
	for f := range ids {
		ids[f] = int32(f)
	}
	for row := range c.rows {
		centred := make([]float32, m.z.dPad)
		for j, v := range c.x[row*c.d : (row+1)*c.d] {
			centred[j] = v - c.bDec[j]
		}
		m.kern.dots(dots, centred, m.w.wEnc, ids)
		var keys []key
		for f := range ids {
			if c.among != nil && !c.among[f] {
				continue
			}
			v := dots[f] + c.bEnc[f]
			if v <= 0 {
				v = 0
			}
			keys = append(keys, keyOf(v, f))
		}
		slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(b, a) })
		out = append(out, keys[:c.k]...)
	}
	return out
}

// Where the latents are split, a row may be merged by a worker that had no task in this
// encoding, and whose last encoding had more rows.
func TestMergeByIdleWorker(t *testing.T) {
	const few, many = 16, 4000
	kern := kernelsOf("portable")
	c := encodeCase{
		d: 4, f: 256, k: 1, rows: few,
		wEnc: noise(make([]float32, 4*256), 1), bEnc: make([]float32, 256), bDec: make([]float32, 4),
		x: noise(make([]float32, 4*few), 2),
	}
	m := c.model(t, kern, 64)
	acts, latents := make([]float32, few), make([]int32, few)
	for range 2000 {
		for _, w := range m.enc.workers {
			w.first = many // as an encoding of more rows leaves it
		}
		if err := m.Encode(c.x, 1, nil, acts, latents); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTopK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	normal := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(scale * r.NormFloat64())
		}
		return v
	}
	for _, s := range []struct{ d, f, k, rows int }{
		{1, 1, 1, 1}, {1, 300, 7, 3}, {3, 70, 70, 5}, {64, 2000, 32, 15}, {37, 1000, 300, 13}, {512, 700, 8, 7},
		{2100, 90, 9, 14}, {16, 5000, 1, 2}, {1024, 200, 60, 13},
	} {
		t.Run(fmt.Sprintf("D=%d,F=%d,K=%d,n=%d", s.d, s.f, s.k, s.rows), func(t *testing.T) {
			plain := func() encodeCase {
				return encodeCase{
					s.d, s.f, s.k, s.rows, normal(s.f*s.d, 0.1), normal(s.f, 0.1), normal(s.d, 0.1), normal(s.rows*s.d, 1), nil,
				}
			}
			variants := map[string]func(c *encodeCase){
				"plain":      func(*encodeCase) {},
				"no bias":    func(c *encodeCase) { clear(c.bEnc); clear(c.bDec) },
				"big bias":   func(c *encodeCase) { c.bEnc = normal(s.f, 1e4) },
				"equal rows": func(c *encodeCase) { copyRows(c.wEnc, s.d); clear(c.bEnc) },
				"near rows": func(c *encodeCase) {
					copyRows(c.wEnc, s.d)
					for i := range c.wEnc {
						c.wEnc[i] *= 1 + 1e-6*r.Float32()
					}
					clear(c.bEnc)
				},
				"zero tokens": func(c *encodeCase) { clear(c.x); clear(c.bDec) },
				"none positive": func(c *encodeCase) {
					for f := range c.bEnc {
						c.bEnc[f] = -1e6
					}
				},
				"wide norms": func(c *encodeCase) {
					for i := range c.wEnc {
						c.wEnc[i] *= float32(math.Exp(8 * (float64(i/s.d%17)/17 - 0.5)))
					}
				},
				"outlying dimension": func(c *encodeCase) {
					for i := 0; i < len(c.x); i += s.d {
						c.x[i] *= 1000
					}
				},
				"outliers": func(c *encodeCase) {
					for row := range s.rows { // of other sizes, at other places, in each row
						for n := range 1 + row%5 {
							c.x[row*s.d+r.IntN(s.d)] = float32(math.Pow(10, float64(1+n)) * r.NormFloat64())
						}
					}
				},
				"wide columns": func(c *encodeCase) {
					for i := range c.wEnc {
						if i%s.d%50 == 1 {
							c.wEnc[i] *= 1e4
						}
					}
				},
				"outliers at wide columns": func(c *encodeCase) {
					for i := 0; i < len(c.x); i += s.d {
						c.x[i] *= -1000
					}
					for i := 0; i < len(c.wEnc); i += s.d {
						c.wEnc[i] *= 1e3
					}
				},
				"equal outliers": func(c *encodeCase) { // of equal weights: only the rest tells latents apart
					for i := range c.x {
						if i%s.d%40 == 0 {
							c.x[i] = 1e6
						}
					}
					for i := range c.wEnc {
						if i%s.d%40 == 0 {
							c.wEnc[i] = 0.1
						}
					}
				},
				"only outliers":     func(c *encodeCase) { clear(c.x); clear(c.bDec); c.x[len(c.x)-1] = 3 },
				"outlier, NaN in w": func(c *encodeCase) { c.x[0] = 1e5; c.wEnc[len(c.wEnc)-1] = float32(math.NaN()) },
				"outlier, Inf in x": func(c *encodeCase) { c.x[0] = 1e5; c.x[len(c.x)-1] = float32(math.Inf(1)) },
				"tiny":              func(c *encodeCase) { scaleBy(1e-20, c.wEnc, c.x); clear(c.bEnc); clear(c.bDec) },
				"underflow":         func(c *encodeCase) { scaleBy(1e-25, c.wEnc, c.x); clear(c.bEnc); clear(c.bDec) },
				"denormal":          func(c *encodeCase) { scaleBy(1e-42, c.x, c.bDec, c.bEnc) },
				"large":             func(c *encodeCase) { scaleBy(1e15, c.wEnc, c.x) },
				"overflow":          func(c *encodeCase) { scaleBy(1e19, c.wEnc, c.x) },
				"a NaN":             func(c *encodeCase) { c.x[len(c.x)-1] = float32(math.NaN()) },
				"a NaN in w":        func(c *encodeCase) { c.wEnc[len(c.wEnc)/2] = float32(math.NaN()) },
				"an Inf":            func(c *encodeCase) { c.x[0] = float32(math.Inf(1)) },
				"an Inf in w": func(c *encodeCase) {
					c.wEnc[0] = float32(math.Inf(-1))
				},
				"Inf biases": func(c *encodeCase) { c.bEnc[0], c.bEnc[s.f-1] = float32(math.Inf(1)), float32(math.Inf(-1)) },
				"bounds overflow": func(c *encodeCase) {
					for f := range c.bEnc {
						c.bEnc[f] = math.MaxFloat32 * (1 - 1e-7*float32(f))
					}
				},
				"among": func(c *encodeCase) {
					c.among = make([]bool, s.f)
					for n := 0; n < s.k; {
						if f := r.IntN(s.f); !c.among[f] {
							c.among[f] = true
							n++
						}
					}
				},
			}
			for name, change := range variants {
				t.Run(name, func(t *testing.T) {
					c := plain()
					change(&c)
					c.check(t)
				})
			}
		})
	}
}

func copyRows(w []float32, d int) {
	for i := d; i < len(w); i++ {
		w[i] = w[i-d]
	}
}

func scaleBy(a float32, vectors ...[]float32) {
	for _, v := range vectors {
		for i := range v {
			v[i] *= a
		}
	}
}

// FuzzTopK lets the fuzzer choose the numbers: each byte stands for one of a short list,
// so that ties, zeros, denormals, infinities and NaN occur together.
func FuzzTopK(f *testing.F) {
	numbers := []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, 2, 0.5, 0.1, -0.1, 3, 1 + 0x1p-23, 1 - 0x1p-24, 1e-3,
		1e-45, -1e-40, 0x1p-126, 1e-30, 1e30, -1e30, 1e15, 1e-15,
		math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	}
	f.Add(uint16(3), uint16(40), uint16(5), uint16(4), byte(9), []byte{0, 1, 2, 3, 4})
	f.Add(uint16(1), uint16(300), uint16(1), uint16(1), byte(23), []byte{2, 2, 2, 2, 20, 21})
	f.Add(uint16(1030), uint16(33), uint16(33), uint16(2), byte(6), []byte{6, 7, 8, 9, 10})
	f.Add(uint16(17), uint16(500), uint16(100), uint16(13), byte(12), []byte{9, 10, 2})
	f.Add(uint16(5), uint16(64), uint16(2), uint16(3), byte(24), []byte{23})
	f.Fuzz(func(t *testing.T, d, latents, k, rows uint16, kinds byte, numbersOf []byte) {
		c := encodeCase{d: 1 + int(d)%1100, f: 1 + int(latents)%512, rows: 1 + int(rows)%16}
		c.k = 1 + int(k)%c.f
		some := numbers[:1+int(kinds)%len(numbers)]
		// The fuzzer's bytes come first; after them random numbers, seeded by the bytes.
		var seed [32]byte
		for i, b := range numbersOf {
			seed[i%32] = seed[i%32]*31 + b
		}
		r := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:])))
		next := func(n int) []float32 {
			v := make([]float32, n)
			for i := range v {
				if len(numbersOf) > 0 {
					v[i], numbersOf = some[int(numbersOf[0])%len(some)], numbersOf[1:]
				} else {
					v[i] = some[r.IntN(len(some))]
				}
			}
			return v
		}
		c.x, c.bEnc, c.bDec, c.wEnc = next(c.rows*c.d), next(c.f), next(c.d), next(c.f*c.d)
		c.check(t)
	})
}
