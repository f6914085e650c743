package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// allRows returns the rows of a source as Batch and Eval read them, by their own numbers.
func allRows(t *testing.T, s *Set) []float32 {
	t.Helper()
	x := make([]float32, int(s.src.rows())*s.Dim())
	for row := range s.src.rows() {
		buf := make([]byte, widest*s.Dim())
		if err := s.src.read(row, x[int(row)*s.Dim():][:s.Dim()], 1, buf); err != nil {
			t.Fatal(err)
		}
	}
	again := make([]float32, len(x))
	if err := readRows(s, 0, again); err != nil || !slices.Equal(x, again) {
		t.Fatalf("rows read as stored differ: %v", err)
	}
	return x
}

// float64s returns numbers as stored in float64.
func float64s(x []float64) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// All leading dimensions of an array count rows, and float64 is rounded to float32.
func TestDimensions(t *testing.T) {
	const dim = 4
	want := numbered(0, 60, dim)
	wide := make([]float64, len(want))
	for i, v := range want {
		wide[i] = float64(v) * (1 + 0x1p-30) // rounds to v
	}
	header := "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"
	floats := tensorFileOf(t, []safetensors.Tensor{{Name: "x", DType: "F32", Shape: []int64{5, 12, dim}}}, want)
	start := int64(len(floats) - 4*len(want))
	for name, file := range map[string][]byte{
		"a.npy":         npyFile(fmt.Sprintf(header, "<f4", "(5, 12, 4)"), floats[start:]),
		"b.npy":         npyFile(fmt.Sprintf(header, "<f8", "(2, 5, 6, 4)"), float64s(wide)),
		"a.safetensors": floats,
		"b.safetensors": append(tensorFileOf(t, []safetensors.Tensor{
			{Name: "activations", DType: "F64", Shape: []int64{1, 60, dim}}}, nil), float64s(wide)...),
	} {
		s := memory{name: file}.open(t, trainer.DataSpec{})
		if got := allRows(t, s); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		if s.Format().Type != trainer.F32 {
			t.Errorf("%s: its numbers are given as %v", name, s.Format().Type)
		}
	}
}

// A float64 that float32 does not hold is a bad row, and one that vanishes is 0.
func TestFloat64Range(t *testing.T) {
	x := make([]float64, 60*4)
	for i := range x {
		x[i] = float64(i)
	}
	x[5] = 1e-300
	file := func() []byte {
		return npyFile("{'descr': '<f8', 'fortran_order': False, 'shape': (60, 4), }\n", float64s(x))
	}
	if got := allRows(t, memory{"a.npy": file()}.open(t, trainer.DataSpec{})); got[5] != 0 {
		t.Errorf("1e-300 is %g", got[5])
	}
	for _, v := range []float64{1e39, math.Inf(-1), math.NaN()} {
		x[9] = v
		r, err := inspectFrom(t.Context(), memory{"a.npy": file()}, trainer.DataSpec{Source: "memory"}, Options{})
		if err != nil || r.NonFiniteRows != 1 || r.NonFinite[0].Row != 2 || r.NonFinite[0].Col != 1 || r.DType != "F64" {
			t.Errorf("%g: %+v, %v", v, r, err)
		}
	}
}

// data.tensor chooses, the default name counts before others, and integers never count.
func TestTensorChoice(t *testing.T) {
	a, b := numbered(0, 60, 4), numbered(100, 60, 4)
	ids := make([]float32, 60)
	file := func(first, second string) memory {
		return memory{"a.safetensors": tensorFileOf(t, []safetensors.Tensor{
			{Name: first, DType: "F32", Shape: []int64{60, 4}},
			{Name: second, DType: "F32", Shape: []int64{3, 20, 4}},
			{Name: "ids", DType: "I32", Shape: []int64{3, 20}},
		}, slices.Concat(a, b, ids))}
	}
	for _, tt := range []struct {
		first, second, tensor string
		want                  []float32
		bad                   string
	}{
		{"x", "activations", "", b, ""},
		{"activations", "x", "", a, ""},
		{"x", "activations", "x", a, ""},
		{"x", "y", "y", b, ""},
		{"x", "y", "", nil, "x [60 4], y [3 20 4]: say which with data.tensor"},
		{"x", "y", "z", nil, "no tensor has the name z, which data.tensor gives; it holds x [60 4], y"},
		{"x", "y", "ids", nil, "tensor ids has dtype I32"},
	} {
		spec := trainer.DataSpec{Source: "m", Tensor: tt.tensor}
		s, err := openFrom(t.Context(), file(tt.first, tt.second), spec, Options{})
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) || !errors.Is(err, ErrBad) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		if got := allRows(t, s); !slices.Equal(got, tt.want) {
			t.Errorf("%s of %s and %s: %v", tt.tensor, tt.first, tt.second, got[:4])
		}
	}
}

// The cache of one tensor is not that of another of the same file.
func TestTensorCache(t *testing.T) {
	path := write(t, t.TempDir(), "a.safetensors", tensorFileOf(t, []safetensors.Tensor{
		{Name: "x", DType: "F32", Shape: []int64{60, 4}}, {Name: "y", DType: "F32", Shape: []int64{60, 4}},
	}, slices.Concat(numbered(0, 60, 4), numbered(100, 60, 4))))
	o := Options{Cache: t.TempDir(), clock: func() time.Time { return time.Now().Add(time.Hour) }}
	prints := map[string]bool{}
	for _, tensor := range []string{"x", "y", "x", "y"} {
		prints[open(t, trainer.DataSpec{Source: path, Tensor: tensor}, o).Info().Fingerprint] = true
	}
	numbers := make([]float64, 60)
	numbers[0] = 1
	bare := write(t, t.TempDir(), "a.bin", float64s(numbers))
	for _, raw := range []trainer.Raw{{DType: "f32", Width: 2}, {DType: "f32", Width: 4}, {DType: "f64", Width: 2},
		{DType: "f32", Width: 2}} {
		prints[open(t, trainer.DataSpec{Source: bare, Raw: &raw}, o).Info().Fingerprint] = true
	}
	if len(prints) != 5 {
		t.Errorf("%d fingerprints, want 5", len(prints))
	}
}

// Files of bare numbers are read as the spec says.
func TestRaw(t *testing.T) {
	want := numbered(0, 60, 4)
	body := tensorFile(t, 4, want)
	body = body[len(body)-4*len(want):]
	dir := t.TempDir()
	for _, name := range []string{"a.bin", "b.memmap", "notes.txt", "c.npy", "d.000", "run.json"} {
		write(t, dir, name, append([]byte(name[:1]+"......."), body...))
	}
	raw := &trainer.Raw{DType: "f32", Width: 4, Offset: 8}
	for source, rows := range map[string]int64{
		dir: 120, dir + "/*.000": 60, dir + "/d.000": 60, dir + "/notes.txt": 60, dir + "/[ad]*": 120,
	} {
		spec := trainer.DataSpec{Source: source, Raw: raw, EvalTokens: 3}
		s, err := openFrom(t.Context(), localFiles{}, spec, Options{})
		if source == dir || source == dir+"/[ad]*" { // the files hold the same rows, which shows which are taken
			if err == nil || !strings.Contains(err.Error(), "holds the same rows") {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := allRows(t, s); !slices.Equal(got, want) || s.Info().Rows != rows {
			t.Errorf("%s: %d rows, %v", source, s.Info().Rows, got[:4])
		}
		s.Close()
	}
	for _, tt := range []struct {
		raw  trainer.Raw
		file []byte
		bad  string
	}{
		{trainer.Raw{DType: "f32", Width: 7}, body, "are no whole rows: a row of 7 numbers in f32 takes 28 bytes, and 8 are"},
		{trainer.Raw{DType: "f32", Width: 4, Offset: 1 << 20}, body, "less than the data.raw.offset"},
		{trainer.Raw{DType: "f32", Width: 4}, []byte("\x93NUMPY.........."), "begins as a .npy file"},
		{trainer.Raw{DType: "f32", Width: 4}, []byte("PK\x03\x04............"), "begins as an archive"},
		{trainer.Raw{DType: "f8", Width: 4}, body, "dtype \"f8\" is not one of"},
		{trainer.Raw{DType: "f32", Width: 0}, body, "width 0 is not"},
		{trainer.Raw{DType: "f32", Width: 4, Offset: -1}, body, "negative"},
	} {
		_, err := openFrom(t.Context(), memory{"a.bin": tt.file}, trainer.DataSpec{Source: "m", Raw: &tt.raw}, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.bad) || !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v", tt.raw, err)
		}
	}
}
