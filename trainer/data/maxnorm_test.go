package data

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestKept(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := int64(1 + r.IntN(50))
		var out, in []int64
		for row := range n {
			if r.IntN(4) == 0 || row < 3 && seed%3 == 0 {
				out = append(out, row)
			} else {
				in = append(in, row)
			}
		}
		k := newKept(&shards{count: n}, out)
		if k.rows() != int64(len(in)) {
			t.Fatalf("%d rows, want %d", k.rows(), len(in))
		}
		for i, row := range in {
			if got := k.number(int64(i)); got != row {
				t.Fatalf("%v left out: row %d is %d, want %d", out, i, got, row)
			}
		}
		if got, err := decodeRows(encodeRows(out), n); err != nil || !slices.Equal(got, out) {
			t.Fatalf("%v becomes %v, %v", out, got, err)
		}
	}
}

func FuzzDecodeRows(f *testing.F) {
	f.Add([]byte{}, int64(4))
	f.Add(encodeRows([]int64{0, 3, 200, 1 << 40}), int64(1<<41))
	f.Fuzz(func(t *testing.T, b []byte, count int64) {
		rows, err := decodeRows(b, max(0, count))
		if err == nil && (!slices.IsSorted(rows) || len(rows) > 0 && (rows[0] < 0 || rows[len(rows)-1] >= count)) {
			t.Errorf("%v", rows)
		}
	})
}

// Rows of huge norms are left out of training and held-out rows alike, and counted.
func TestMaxNorm(t *testing.T) {
	const rows, dim = 12_800, 16
	x := gaussian(rows, dim, sinks)
	m := memory{"a.safetensors": tensorFile(t, dim, x[:5000*dim]), "b.safetensors": tensorFile(t, dim, x[5000*dim:])}
	var small []float32
	for row := range rows {
		if sinks(row) == 1 {
			small = append(small, x[row*dim:][:dim]...)
		}
	}
	for _, tt := range []struct{ maxNorm, normalize string }{
		{"10x_median", "none"}, {"10x_median", "mean_square"}, {"55.5", "mean_square"}, {"2.5x_median", "none"},
	} {
		var one *Set
		for _, workers := range []int{1, 3} {
			spec := trainer.DataSpec{Source: "memory", MaxNorm: tt.maxNorm, Normalize: tt.normalize}
			s := openWith(t, m, spec, Options{Workers: workers})
			i := s.Info()
			if i.LeftOut != 100 || i.Rows != rows-100 || s.Rows() != rows-100 || i.EvalRows != (rows-100)/10 ||
				!(i.HugeShare == 0) || i.Notes != nil || !(i.MaxNorm > 8 && i.MaxNorm < 60) {
				t.Fatalf("%v: %+v", tt, i)
			}
			if one == nil {
				one = s
			} else if i.Fingerprint != one.Info().Fingerprint || i.MaxNorm != one.Info().MaxNorm {
				t.Errorf("%v: it depends on the goroutines", tt)
			}
			want := slices.Clone(small)
			for j := range want {
				want[j] *= float32(i.Scale)
			}
			got := make([]float32, len(want))
			if err := readRows(s, 0, got); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%v: other rows are kept: %v", tt, err)
			}
			batch, numbers := make([]float32, 900*dim), make([]int64, 900)
			if err := errors.Join(s.Batch(1, 20, batch), s.BatchRows(1, 20, numbers)); err != nil {
				t.Fatal(err)
			}
			for j, row := range numbers {
				if !slices.Equal(batch[j*dim:][:dim], want[row*dim:][:dim]) {
					t.Fatalf("%v: row %d of the batch is not row %d", tt, j, row)
				}
			}
		}
	}
	// What is resolved is in the fingerprint.
	prints := map[string]bool{}
	for _, maxNorm := range []string{"", "50", "55.5", "10x_median", "11x_median"} {
		prints[m.open(t, trainer.DataSpec{MaxNorm: maxNorm}).Info().Fingerprint] = true
	}
	if len(prints) != 5 {
		t.Errorf("%d fingerprints of five", len(prints))
	}
	s := m.open(t, trainer.DataSpec{MaxNorm: "50"})
	if _, err := s.FingerprintV1(t.Context()); !errors.Is(err, ErrBad) {
		t.Errorf("version 1: %v", err)
	}
	y := m.open(t, trainer.DataSpec{MaxNorm: fmt.Sprint(s.Info().MedianNorm * 10)}).Info()
	if len(y.Notes) > 0 {
		t.Errorf("%v", y.Notes)
	}
	// A limit that is above the huge rows leaves them in; the note says so.
	high := m.open(t, trainer.DataSpec{MaxNorm: "1e6"}).Info()
	if high.LeftOut != 0 || high.MaxNorm != 1e6 || !strings.Contains(strings.Join(high.Notes, ""), "1e+06 keeps them") {
		t.Errorf("%+v", high)
	}
}

func TestMaxNormErrors(t *testing.T) {
	const rows, dim = 1000, 4
	m := shardOf(t, dim, gaussian(rows, dim, ones))
	nan := gaussian(rows, dim, ones)
	nan[777*dim+1] = float32(math.NaN())
	zero := shardOf(t, dim, make([]float32, rows*dim))
	syn := &trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Noise: 0.1}
	for _, tt := range []struct {
		files memory
		spec  trainer.DataSpec
		want  string
	}{
		{m, trainer.DataSpec{MaxNorm: "ten"}, `max_norm: "ten" is neither`},
		{m, trainer.DataSpec{MaxNorm: "-1"}, "is neither"},
		{m, trainer.DataSpec{MaxNorm: "0x_median"}, "is neither"},
		{m, trainer.DataSpec{MaxNorm: "NaN"}, "is neither"},
		{m, trainer.DataSpec{MaxNorm: "Infx_median"}, "is neither"},
		{m, trainer.DataSpec{MaxNorm: "10x_mean"}, "is neither"},
		{m, trainer.DataSpec{MaxNorm: "1e-9"}, "leaves out 1000 of 1000 rows"},
		{m, trainer.DataSpec{MaxNorm: "0.2x_median"}, "leaves out 1000 of 1000 rows, which have a norm above 0."},
		{zero, trainer.DataSpec{MaxNorm: "10x_median"}, "median norm is 0"},
		{shardOf(t, dim, nan), trainer.DataSpec{MaxNorm: "1e9", EvalTokens: 1}, "a.safetensors: row 777: NaN in column 1"},
		{m, trainer.DataSpec{Synthetic: syn, MaxNorm: "5"}, "max_norm: synthetic rows are not left out"},
		{m, trainer.DataSpec{Verify: "half"}, `verify: "half" is neither whole nor sample`},
	} {
		if tt.spec.Synthetic == nil {
			tt.spec.Source = "memory"
		}
		_, err := openFrom(t.Context(), tt.files, tt.spec, Options{})
		if !errors.Is(err, ErrBad) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.spec, err, tt.want)
		}
	}
}

// A row that is not finite, and in neither the sample nor the held-out rows, is not left
// out in silence.
func TestMaxNormFindsBadRow(t *testing.T) {
	const rows = sampleRows + 1000
	x := make([]byte, 2*rows)
	for i := range x {
		x[i] = 0x38
	}
	m := memory{"a.npy": shardBytes(t, true, f16, 1, x)}
	spec := trainer.DataSpec{Source: "memory", EvalTokens: 10}
	s := openWith(t, m, spec, Options{})
	row := s.trainRow(sampleRows + 77)
	b := m["a.npy"][len(m["a.npy"])-len(x):]
	b[2*row+1] = 0x7e // NaN
	if _, err := openFrom(t.Context(), m, spec, Options{}); err != nil {
		t.Errorf("without max_norm: %v", err)
	}
	for _, maxNorm := range []string{"10x_median", "3"} {
		spec.MaxNorm = maxNorm
		_, err := openFrom(t.Context(), m, spec, Options{})
		if bad := (*BadRowError)(nil); !errors.As(err, &bad) || bad.Row != row {
			t.Errorf("%s: %v", maxNorm, err)
		}
	}
}
