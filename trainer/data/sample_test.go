package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// gaussian returns rows whose numbers are standard normal, each row times scale(row).
func gaussian(rows, dim int, scale func(row int) float64) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, rows*dim)
	for i := range x {
		x[i] = float32(r.NormFloat64() * scale(i/dim))
	}
	return x
}

func ones(int) float64 { return 1 }

// sinks makes one row in 128 a thousand times as long as the others.
func sinks(row int) float64 {
	if row%128 == 5 {
		return 1000
	}
	return 1
}

func shardOf(t testing.TB, dim int, x []float32) memory {
	return memory{"a.safetensors": tensorFile(t, dim, x)}
}

// A held-out row that is not finite is found when the data are opened, whichever it is.
func TestBadHeldOutRow(t *testing.T) {
	const rows, dim, eval = 300, 4, 60
	clean := shardOf(t, dim, gaussian(rows, dim, ones)).open(t, trainer.DataSpec{EvalTokens: eval})
	for i := range int64(eval) {
		row := clean.order.base(i)
		x := gaussian(rows, dim, ones)
		x[row*dim+2] = []float32{float32(math.NaN()), float32(math.Inf(-1))}[i%2]
		half := rows / 2 * dim
		m := memory{"a.safetensors": tensorFile(t, dim, x[:half]), "b.safetensors": tensorFile(t, dim, x[half:])}
		_, err := openFrom(t.Context(), m, trainer.DataSpec{Source: "memory", EvalTokens: eval}, Options{})
		var bad *BadRowError
		file := map[bool]string{true: "a.safetensors", false: "b.safetensors"}[row < rows/2]
		if !errors.As(err, &bad) || bad.File != file || bad.Row != row%(rows/2) || bad.Col != 2 {
			t.Fatalf("held-out row %d: %v", row, err)
		}
	}
}

// A held-out row may be more than float32 holds once it is scaled.
func TestHeldOutRowOverflows(t *testing.T) {
	const rows, dim = 100, 2
	clean := shardOf(t, dim, gaussian(rows, dim, ones)).open(t, trainer.DataSpec{})
	x := gaussian(rows, dim, func(int) float64 { return 1e-30 })
	x[clean.order.base(3)*dim] = 1e20
	spec := trainer.DataSpec{Source: "memory", Normalize: "mean_square"}
	_, err := openFrom(t.Context(), shardOf(t, dim, x), spec, Options{})
	if bad := (*BadRowError)(nil); !errors.As(err, &bad) || bad.Row != clean.order.base(3) {
		t.Errorf("%v", err)
	}
}

// A held-out row with which evaluation would overflow, at the end of every run, is an error
// when the data are opened. All rows may be so large if they are scaled, or left out.
func TestHeldOutRowTooLarge(t *testing.T) {
	const rows, dim = 100, 2
	clean := shardOf(t, dim, gaussian(rows, dim, ones)).open(t, trainer.DataSpec{})
	for _, tt := range []struct {
		value              float32
		others             float64
		normalize, maxNorm string
		ok                 bool
	}{
		{3e38, 1, "", "", false}, {-3e38, 1, "", "", false}, {2e30, 1, "mean_square", "", false},
		{1e29, 1, "", "", true}, {3e38, 1, "", "10x_median", true}, {3e37, 1e37, "", "", false},
		{3e37, 1e37, "mean_square", "", true}, {-1e30, 1e-30, "mean_square", "", false},
	} {
		x := gaussian(rows, dim, func(int) float64 { return tt.others })
		x[clean.order.base(3)*dim+1] = tt.value
		spec := trainer.DataSpec{Source: "memory", Normalize: tt.normalize, MaxNorm: tt.maxNorm}
		_, err := openFrom(t.Context(), shardOf(t, dim, x), spec, Options{})
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestHugeRows(t *testing.T) {
	const rows, dim = 20_000, 32
	for _, tt := range []struct {
		name  string
		scale func(int) float64
		share float64
		note  string
	}{
		{"plain", ones, 0, ""},
		{"sinks", sinks, 0.9998, "100% of the mean square of the"},
		{"a few outliers", func(row int) float64 { return map[bool]float64{true: 30, false: 1}[row%5000 == 7] }, 0.35, ""},
		{"padding", func(row int) float64 { return float64(min(1, row%3)) / 1000 }, 0, "33% of the rows are all zeros"},
		{"mostly padding", func(row int) float64 { return float64(max(0, row%8-6)) }, 0, "% of the rows are all zeros"},
		{"tiny", func(row int) float64 { return 1e-38 * sinks(row) }, 0.9998, "100% of the mean square"},
		{"large", func(row int) float64 { return 1e26 * sinks(row) }, 0.9998, "100% of the mean square"},
	} {
		for _, normalize := range []string{"none", "mean_square"} {
			m := shardOf(t, dim, gaussian(rows, dim, tt.scale))
			spec := trainer.DataSpec{Source: "memory", Normalize: normalize}
			s, err := openFrom(t.Context(), m, spec, Options{})
			if err != nil {
				if tt.name != "tiny" { // a scale of 1e38 cannot be
					t.Errorf("%s: %v", tt.name, err)
				}
				continue
			}
			i := s.Info()
			notes := strings.Join(i.Notes, "\n")
			if !(math.Abs(i.HugeShare-tt.share) < 0.1) || (notes != "") != (tt.note != "") || !strings.Contains(notes, tt.note) {
				t.Errorf("%s: share %v, notes %q", tt.name, i.HugeShare, notes)
			}
			if want := math.Sqrt(dim) * tt.scale(7); tt.name != "a few outliers" && want > 0 &&
				!(math.Abs(i.MedianNorm/want-1) < 0.05) {
				t.Errorf("%s: median norm %v, want about %v", tt.name, i.MedianNorm, want)
			}
		}
	}
}

func TestLargeDimensions(t *testing.T) {
	for _, tt := range []struct {
		dim, large int
		by         float64
		want       string
	}{
		{64, 0, 1, ""}, {64, 1, 20, "in dimension 3 of 64"}, {64, 2, 20, "in dimensions 3 and 8 of 64"},
		{64, 4, 5, "in dimensions 3, 8, 13 and 18 of 64"}, {64, 5, 4, ""}, {64, 1, 6, ""},
		{1, 0, 1, ""}, {3, 1, 100, ""}, {4, 1, 100, ""}, {8, 1, 100, "in dimension 3 of 8"}, {8, 0, 1, ""},
	} {
		x := gaussian(5000, tt.dim, ones)
		for i := range x {
			if d := i%tt.dim - 3; d >= 0 && d%5 == 0 && d/5 < tt.large {
				x[i] *= float32(tt.by * (1 - 0.01*float64(d)/5))
			}
		}
		notes := strings.Join(shardOf(t, tt.dim, x).open(t, trainer.DataSpec{}).Info().Notes, "\n")
		if (notes != "") != (tt.want != "") || !strings.Contains(notes, tt.want) {
			t.Errorf("%d large of %d: %q, want %q", tt.large, tt.dim, notes, tt.want)
		}
	}
}

func TestMedianAndPercentiles(t *testing.T) {
	m := sampleStats{squares: []float64{16, 0, 1, 9, 4}, dims: []float64{20, 10}}
	m.rows, m.square = 5, 30
	m.finish()
	if m.median != 2 || m.zero != 1 || m.percentile(0) != 0 || m.percentile(0.2) != 0 || m.percentile(0.21) != 1 ||
		m.percentile(1) != 4 || m.dims[0] != 20./30 {
		t.Errorf("%+v", m)
	}
}

// Whatever the rows are, opening them ends in an error or in numbers that are finite, the
// same for any number of goroutines; and all rows can be read.
func checkAnySet(t *testing.T, m memory, spec trainer.DataSpec) {
	spec.Source = "memory"
	s, err := openFrom(t.Context(), m, spec, Options{Workers: 3})
	one, err1 := openFrom(t.Context(), m, spec, Options{Workers: 1})
	if (err == nil) != (err1 == nil) || err != nil && err.Error() != err1.Error() {
		t.Fatalf("%v with 3 goroutines, %v with 1", err, err1)
	}
	r, rerr := inspectFrom(t.Context(), m, spec, Options{Workers: 2})
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		if !errors.Is(err, ErrBad) {
			t.Fatal(err)
		}
		return
	}
	i := s.Info()
	if !reflect.DeepEqual(i, one.Info()) {
		t.Fatalf("%+v with 3 goroutines, %+v with 1", i, one.Info())
	}
	if rerr != nil || r.Data != i.Fingerprint || !slices.Equal(r.Notes, i.Notes) {
		t.Fatalf("inspect: %+v, %v; opened %+v", r, rerr, i)
	}
	if _, err := json.Marshal(i); err != nil { // fails for NaN and Inf
		t.Fatalf("%+v: %v", i, err)
	}
	if !(i.HugeShare >= 0 && i.HugeShare <= 1) || !(i.Scale > 0) || i.EvalRepeated > i.EvalRows || i.LeftOut < 0 ||
		strings.Contains(fmt.Sprint(i.Notes), "NaN") {
		t.Fatalf("%+v", i)
	}
	x := make([]float32, i.EvalRows*int64(i.Dim))
	if err := s.Eval(0, x); err != nil {
		t.Fatalf("held-out rows: %v", err)
	}
	if err := s.Verify(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	x = make([]float32, min(s.Rows(), 100)*int64(i.Dim))
	if err := readRows(s, 0, x); err != nil && !errors.Is(err, ErrBad) {
		t.Fatal(err)
	}
}

func FuzzSet(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		dim := 1 + r.IntN(1<<r.IntN(7))
		rows, dts := make([][]byte, 1+r.IntN(1<<r.IntN(10))), []dtype{f32, f16, bf16}
		each := make([]dtype, len(rows))
		kind := r.IntN(6)
		for i := range rows {
			if i == 0 || r.IntN(40) == 0 {
				each[i] = dts[r.IntN(3)]
			} else {
				each[i] = each[i-1]
			}
			size := int(each[i].size())
			rows[i] = make([]byte, dim*size)
			for j := range rows[i] {
				switch kind {
				case 0: // zeros
				case 1: // denormal numbers
					if j%size == 0 {
						rows[i][j] = byte(r.Uint32())
					}
				case 2: // any bits, also NaN
					rows[i][j] = byte(r.Uint32())
				case 3: // equal rows
					rows[i][j] = byte(1+j%7) << 2
				default: // numbers of all sizes that are finite in each dtype
					if rows[i][j] = byte(r.Uint32()); j%size == size-1 {
						rows[i][j] &= 0xb7
					}
				}
			}
		}
		checkAnySet(t, split(t, r, dim, rows, each), trainer.DataSpec{
			Normalize:  []string{"none", "mean_square"}[r.IntN(2)],
			EvalTokens: int64(r.IntN(3) * r.IntN(len(rows)+1)),
			MaxNorm:    []string{"", "", "10x_median", "0.5x_median", "1e-3", "1e9"}[r.IntN(6)],
			Verify:     []string{"", "whole", "sample"}[r.IntN(3)],
		})
	})
}
