package similarity

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer/safetensors"
)

// fileOf is a model's file: a tensor before the decoder, the decoder, and one behind it.
func fileOf(t testing.TB, w []float32, d int) []byte {
	n := int64(4 * len(w))
	head, err := safetensors.EncodeHeader([]safetensors.Tensor{
		{Name: "a", DType: "F32", Shape: []int64{3}, Begin: 0, End: 12},
		{Name: decoder, DType: "F32", Shape: []int64{int64(len(w) / d), int64(d)}, Begin: 12, End: 12 + n},
		{Name: "z", DType: "F32", Shape: []int64{1}, Begin: 12 + n, End: 16 + n},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := append(head, make([]byte, 12)...)
	for _, v := range w {
		file = binary.LittleEndian.AppendUint32(file, math.Float32bits(v))
	}
	return append(file, 0, 0, 0, 0)
}

func modelOf(seed int64, file []byte) Model {
	open := func(context.Context) (io.ReadCloser, int64, error) {
		if file == nil {
			return nil, 0, fmt.Errorf("get: %w", ErrMissing)
		}
		return io.NopCloser(bytes.NewReader(file)), int64(len(file)), nil
	}
	return Model{Name: fmt.Sprint("of seed ", seed), Seed: seed, Open: open}
}

func random(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	return w
}

func permuted(w []float32, d int) []float32 {
	out := make([]float32, 0, len(w))
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(w) / d) {
		out = append(out, w[i*d:(i+1)*d]...)
	}
	return out
}

// plain is best(a, b) as one reads it, over all rows of a.
func plain(a, b []float32, d int, chosen []int64) float64 {
	sum := 0.0
	for _, i := range chosen {
		best := math.Inf(-1)
		for j := 0; j < len(b); j += d {
			dot, na, nb := 0.0, 0.0, 0.0
			for x := range d {
				u, v := float64(a[int(i)*d+x]), float64(b[j+x])
				dot, na, nb = dot+u*v, na+u*u, nb+v*v
			}
			if c := dot / math.Sqrt(na*nb); c > best {
				best = c
			}
		}
		sum += best
	}
	return sum / float64(len(chosen))
}

func mcc(t *testing.T, threads int, models ...Model) []float64 {
	got, err := MCC(t.Context(), models, threads, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(got))
	for i, v := range got {
		if out[i] = math.NaN(); v != nil {
			out[i] = *v
		}
	}
	return out
}

func TestMCC(t *testing.T) {
	const d = 24
	for _, rows := range []int{1, 2, 3, 129, 301} {
		a, b, c := random(1, rows*d), random(2, rows*d), random(3, rows*d)
		models := []Model{modelOf(0, fileOf(t, a, d)), modelOf(1, fileOf(t, b, d)), modelOf(2, fileOf(t, c, d))}
		all := choose(int64(rows))
		pair := func(x, y []float32) float64 { return (plain(x, y, d, all) + plain(y, x, d, all)) / 2 }
		want := []float64{
			(pair(a, b) + pair(a, c)) / 2, (pair(b, a) + pair(b, c)) / 2, (pair(c, a) + pair(c, b)) / 2,
		}
		got := mcc(t, 2, models...)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-12) {
				t.Errorf("%d rows, model %d: %v, want %v", rows, i, got[i], want[i])
			}
		}
		// Equal models, and the same latents in another order, with other norms.
		same := permuted(a, d)
		for i := range same {
			same[i] *= 3
		}
		for _, w := range [][]float32{a, same} {
			for _, v := range mcc(t, 1, modelOf(4, fileOf(t, a, d)), modelOf(5, fileOf(t, w, d))) {
				if !(math.Abs(v-1) <= 1e-12) {
					t.Errorf("%d rows: equal latents: %v", rows, v)
				}
			}
		}
		for threads := -1; threads <= 9; threads += 2 {
			if other := mcc(t, threads, models...); !slices.Equal(got, other) {
				t.Errorf("%d rows, %d threads: %v, want %v", rows, threads, other, got)
			}
		}
	}
	// Random latents in many dimensions have little in common; the opposite direction is no match.
	const wide = 400
	far := mcc(t, 2, modelOf(0, fileOf(t, random(1, 20*wide), wide)), modelOf(1, fileOf(t, random(2, 20*wide), wide)))
	if !(far[0] > 0 && far[0] < 0.25) {
		t.Errorf("random latents: %v", far)
	}
	opposite := mcc(t, 2, modelOf(0, fileOf(t, []float32{1, 2}, 2)), modelOf(1, fileOf(t, []float32{-1, -2}, 2)))
	if !(math.Abs(opposite[0]+1) <= 1e-12) {
		t.Errorf("opposite latents: %v", opposite)
	}
}

// More latents than are chosen: the same ones of each model, against all of the others.
func TestManyLatents(t *testing.T) {
	const d, rows = 3, maxLatents + 500
	a, b := random(1, rows*d), random(2, rows*d)
	chosen := choose(rows)
	if len(chosen) != maxLatents || !slices.IsSorted(chosen) || chosen[maxLatents-1] >= rows ||
		len(slices.Compact(slices.Clone(chosen))) != maxLatents || chosen[maxLatents-1] == maxLatents-1 {
		t.Fatalf("%d latents chosen: %v", len(chosen), chosen)
	}
	var told []int64
	got, err := MCC(t.Context(), []Model{modelOf(0, fileOf(t, a, d)), modelOf(1, fileOf(t, b, d))}, 2,
		func(done, total int64) { told = append(told, done, total) })
	want := (plain(a, b, d, chosen) + plain(b, a, d, chosen)) / 2
	if err != nil || !(math.Abs(*got[0]-want) <= 1e-12) || *got[0] != *got[1] {
		t.Errorf("%v %v, want %v, %v", *got[0], *got[1], want, err)
	}
	if n := len(told); n < 4 || told[n-2] != 2*rows || told[n-1] != 2*rows || !slices.IsSorted(evens(told)) {
		t.Errorf("progress %v", told)
	}
}

func evens(v []int64) (out []int64) {
	for i := 0; i < len(v); i += 2 {
		out = append(out, v[i])
	}
	return out
}

// A model without another seed has no value, nor has one that is not there. Rows of zeros are not NaN.
func TestMissing(t *testing.T) {
	one := fileOf(t, random(1, 8), 2)
	got := mcc(t, 1, modelOf(0, one), modelOf(1, nil), modelOf(0, one))
	for i, v := range got {
		if !math.IsNaN(v) {
			t.Errorf("model %d: %v", i, v)
		}
	}
	if got := mcc(t, 1, modelOf(0, one), modelOf(1, nil), modelOf(2, one)); got[0] < 0.999 || !math.IsNaN(got[1]) {
		t.Error(got)
	}
	zeros := fileOf(t, make([]float32, 8), 2)
	if got := mcc(t, 1, modelOf(0, one), modelOf(1, zeros)); got[0] != 0 || got[1] != 0 {
		t.Error(got)
	}
	if got, err := MCC(t.Context(), nil, 1, nil); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestBadModels(t *testing.T) {
	good := fileOf(t, random(1, 8), 2)
	nan := fileOf(t, []float32{0, float32(math.NaN()), 0, 0, 0, 0, 0, 0}, 2)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"truncated": {good[:len(good)-20], "safetensors"},
		"NaN":       {nan, "row 0 holds NaN"},
		"shape":     {fileOf(t, random(1, 12), 2), "6 rows of 2 numbers"},
		"text":      {[]byte("not a model, but long enough for a header"), "safetensors"},
	} {
		_, err := MCC(t.Context(), []Model{modelOf(0, good), modelOf(1, c.file)}, 1, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "of seed 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := MCC(ctx, []Model{modelOf(0, good), modelOf(1, good)}, 1, nil); err == nil {
		t.Error("canceled, and no error")
	}
}

func FuzzNewReader(f *testing.F) {
	f.Add(fileOf(f, random(1, 8), 2))
	f.Add([]byte("\x08\x00\x00\x00\x00\x00\x00\x00{}      "))
	f.Fuzz(func(t *testing.T, file []byte) {
		d, err := newReader("m", io.NopCloser(bytes.NewReader(file)), int64(len(file)))
		if err != nil {
			return
		}
		if d.width > 1<<20 {
			t.Skip()
		}
		dst := make([]float64, 2*d.width)
		for read := int64(0); d.left > 0; {
			n, err := d.read(dst)
			if err != nil {
				return
			}
			if read += n; n == 0 || read > d.rows {
				t.Fatalf("%d of %d rows", read, d.rows)
			}
		}
	})
}

func BenchmarkMeet(b *testing.B) {
	const d = 768
	s := &sample{width: d, rows: make([]float64, 512*d), norms: make([]float64, 512), best: make([]float64, 512)}
	rows, norms := make([]float64, blockRows*d), make([]float64, blockRows)
	for b.Loop() {
		s.meet(rows, norms, 1)
	}
	b.ReportMetric(2*512*blockRows*d*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
