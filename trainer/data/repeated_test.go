package data

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// The held-out rows that are training rows too are counted as a comparison of all pairs
// counts them.
func TestRepeatedRows(t *testing.T) {
	tried := 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 5))
		dim, n := 1+r.IntN(5), 20+r.IntN(400)
		dts, rows := make([]dtype, n), make([][]byte, n)
		distinct := 1 + r.IntN(3*n)
		for i := range rows {
			if dts[i] = f32; seed%2 == 1 && r.IntN(20) == 0 {
				dts[i] = f16
			}
			v := r.IntN(min(distinct, 2000))
			for range dim {
				if dts[i] == f16 { // v·2^-20, which is exact in both
					rows[i] = binary.LittleEndian.AppendUint16(rows[i], f16Bits(v))
				} else {
					rows[i] = binary.LittleEndian.AppendUint32(rows[i], math.Float32bits(float32(v)*0x1p-20))
				}
			}
		}
		spec := trainer.DataSpec{Source: "memory", EvalTokens: int64(1 + r.IntN(n-1))}
		spec.MaxNorm = []string{"", "3x_median"}[r.IntN(2)]
		s, err := openFrom(t.Context(), split(t, r, dim, rows, dts), spec, Options{})
		if err != nil && strings.Contains(err.Error(), "holds the same rows") {
			continue // two shards of a row or two are equal
		}
		if err != nil {
			t.Fatal(err)
		}
		tried++
		all := make([]float32, s.Rows()*int64(dim))
		if err := readRows(s, 0, all); err != nil {
			t.Fatal(err)
		}
		row := func(i int64) []byte {
			var b bytes.Buffer
			binary.Write(&b, binary.LittleEndian, all[s.order.base(i)*int64(dim):][:dim])
			return b.Bytes()
		}
		training := map[string]bool{}
		for i := s.EvalRows(); i < s.Rows(); i++ {
			training[string(row(i))] = true
		}
		want := int64(0)
		for i := range s.EvalRows() {
			if training[string(row(i))] {
				want++
			}
		}
		i := s.Info()
		if i.EvalRepeated != want {
			t.Fatalf("seed %d: %d of %d held-out rows are repeated, want %d", seed, i.EvalRepeated, i.EvalRows, want)
		}
		note := strings.Contains(strings.Join(i.Notes, "\n"), "held-out rows are training rows too")
		if note != (float64(want) > 0.1*float64(i.EvalRows)) {
			t.Errorf("%d of %d: notes %q", want, i.EvalRows, i.Notes)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if tried < 40 {
		t.Errorf("only %d data sets were compared", tried)
	}
}

// f16Bits returns v·2^-20 as binary16, for v below 2048.
func f16Bits(v int) uint16 {
	for bits := range uint16(0x7c00) {
		if safetensors.Float16(bits) == float32(v)*0x1p-20 {
			return bits
		}
	}
	panic(v)
}

// A file with all rows beside one with some of them: every row of the latter is there
// twice. Of a sample nothing is counted.
func TestAllBesideItsParts(t *testing.T) {
	x := gaussian(1000, 8, ones)
	m := memory{"all.safetensors": tensorFile(t, 8, x), "part.safetensors": tensorFile(t, 8, x[8:])}
	i := m.open(t, trainer.DataSpec{}).Info()
	if i.EvalRows != 199 || !(i.EvalRepeated > 150) || len(i.Notes) != 1 {
		t.Errorf("%+v", i)
	}
	if i = m.open(t, trainer.DataSpec{Verify: "sample"}).Info(); i.EvalRepeated != 0 || len(i.Notes) != 0 {
		t.Errorf("sampled: %+v", i)
	}
	if i = shardOf(t, 8, x).open(t, trainer.DataSpec{}).Info(); i.EvalRepeated != 0 {
		t.Errorf("once: %+v", i)
	}
}

// Rows beside a copy of them that was converted to another dtype: the numbers differ in
// their last digits.
func TestConvertedCopy(t *testing.T) {
	x := gaussian(1000, 8, ones)
	for i := range x {
		x[i] *= 0x1p-12 // some are subnormals of F16
	}
	for dt, from := range map[dtype]func(uint16) float32{f16: safetensors.Float16, bf16: safetensors.BFloat16} {
		var raw []byte
		for _, v := range x {
			raw = binary.LittleEndian.AppendUint16(raw, nearest(from, v))
		}
		for name, copied := range map[string][]byte{
			"all":    append(tensorFileOf(t, tensors(1000, 8, string(dt), "x"), nil), raw...),
			"a part": append(tensorFileOf(t, tensors(999, 8, string(dt), "x"), nil), raw[16:]...),
		} {
			m := memory{"a.safetensors": tensorFile(t, 8, x), "b.safetensors": copied}
			i := m.open(t, trainer.DataSpec{}).Info()
			if !(i.EvalRepeated > i.EvalRows*3/4) || len(i.Notes) != 1 {
				t.Errorf("%s, %s: %+v", dt, name, i)
			}
		}
	}
}

// nearest returns the bits of the number of a dtype of 16 bits that is nearest to v.
func nearest(from func(uint16) float32, v float32) (best uint16) {
	off := func(bits uint16) float64 { return math.Abs(float64(from(bits)) - math.Abs(float64(v))) }
	best = uint16(sort.Search(0x7f80, func(i int) bool { return from(uint16(i)) >= float32(math.Abs(float64(v))) }))
	if best > 0 && off(best-1) < off(best) {
		best--
	}
	if v < 0 {
		best |= 1 << 15
	}
	return best
}

// Equal rows, and held-out rows that are many, take no time that grows with both.
func TestConstantRows(t *testing.T) {
	i := shardOf(t, 2, make([]float32, 2*300_000)).open(t, trainer.DataSpec{EvalTokens: 100_000}).Info()
	if i.EvalRepeated != 100_000 {
		t.Errorf("%+v", i)
	}
}
