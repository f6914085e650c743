package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// bitsFile returns a shard of rows of width dim with the bits of numbers of a type.
func bitsFile(t testing.TB, dt dtype, dim int, bits []uint32) []byte {
	b := tensorFileOf(t, tensors(int64(len(bits)/dim), int64(dim), string(dt), "activations"), nil)
	for _, v := range bits {
		if dt.size() == 2 {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		} else {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return b
}

// bitsOf returns the bits of random numbers of a type, subnormal ones among them, with exponents below 2.
func bitsOf(dt dtype, seed uint64, n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		v := uint32(trainer.Rand(seed, 1, uint64(i)))
		switch dt {
		case f16:
			out[i] = v & 0xbfff
		case bf16:
			out[i] = v&0x80ff | 0x3f00
		default:
			out[i] = v&0x80ffffff | 0x3f000000
		}
	}
	return out
}

// What ReadStored gives, widened and scaled, are the bits that Batch gives: for all types, for widths that no word
// divides, with rows that are left out, and where shards have several types.
func TestStoredRowsAreTheBatch(t *testing.T) {
	for name, types := range map[string][]dtype{
		"F32": {f32, f32}, "F16": {f16, f16}, "BF16": {bf16, bf16}, "mixed": {bf16, f16, f32},
	} {
		for _, dim := range []int{1, 3, 4, 7, 8, 33, 300} {
			for _, spec := range []trainer.DataSpec{
				{}, {Normalize: "mean_square"}, {Normalize: "mean_square", MaxNorm: "1.01x_median"},
			} {
				files := memory{}
				for i, dt := range types {
					files[fmt.Sprint(i, ".safetensors")] = bitsFile(t, dt, dim, bitsOf(dt, uint64(i), (40+dim)*dim))
				}
				spec.EvalTokens = 5
				s := files.open(t, spec)
				if spec.MaxNorm != "" && s.Info().LeftOut == 0 {
					t.Errorf("%s, %d: no row is left out", name, dim)
				}
				want := trainer.Format{Type: trainer.F32, Scale: s.scale}
				switch name {
				case "F16":
					want.Type = trainer.F16
				case "BF16":
					want.Type = trainer.BF16
				}
				if got := s.Format(); got != want || (got.Scale == 1) != (spec.Normalize == "") {
					t.Fatalf("%s: format %v, want %v", name, got, want)
				}
				batch, all, rows := make([]float32, 90*dim), make([]float32, int(s.Rows())*dim), make([]int64, 90)
				if err := errors.Join(s.Batch(3, 1, batch), s.BatchRows(3, 1, rows), readRows(s, 0, all)); err != nil {
					t.Fatal(err)
				}
				for i, row := range rows {
					if !sameBits(batch[i*dim:][:dim], all[int(row)*dim:][:dim]) {
						t.Fatalf("%s, %d numbers, %+v: row %d has other bits", name, dim, spec, row)
					}
				}
			}
		}
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(v, w float32) bool { return math.Float32bits(v) == math.Float32bits(w) })
}

// A row that Batch refuses is refused with the same words, wherever in it the number is.
func TestStoredBadRows(t *testing.T) {
	const rows, dim = 60, 11
	for _, tt := range []struct {
		types  []dtype
		scaled bool
		bits   uint32
	}{
		{[]dtype{f16}, false, 0x7c00}, {[]dtype{f16}, true, 0xfe01}, {[]dtype{bf16}, false, 0xff80},
		{[]dtype{bf16}, true, 0x7f00}, // finite, but not when it is scaled
		{[]dtype{f32}, true, 0x7f700000}, {[]dtype{f32}, false, 0x7fc00000}, {[]dtype{f16, f32}, false, 0xff800000},
		{[]dtype{f16, bf16}, true, 0x7f80},
	} {
		for col := range dim {
			files := memory{}
			bad := 17 + col
			for i, dt := range tt.types {
				bits := make([]uint32, rows*dim) // of small numbers
				for j := range bits {
					bits[j] = uint32(0x2c00 + 60*i + j%9)
					if dt == f32 {
						bits[j] <<= 16
					}
				}
				if i == len(tt.types)-1 {
					bits[bad*dim+col] = tt.bits
				}
				files[fmt.Sprint(i, ".safetensors")] = bitsFile(t, dt, dim, bits)
			}
			src, err := openShards(t.Context(), files, "memory", form{}, 1, false)
			if err != nil {
				t.Fatal(err)
			}
			scale := float32(1)
			if tt.scaled {
				scale = 1000
			}
			row := int64((len(tt.types)-1)*rows + bad)
			buf, x := make([]byte, 4*dim), make([]float32, dim)
			b := make([]byte, dim*int(src.stored().size()))
			limit := src.stored().limit(scale)
			want := src.read(row, x, scale, buf)
			if got := src.readStored(row, b, limit, buf); want == nil || got == nil || got.Error() != want.Error() {
				t.Errorf("%v, %x in column %d: %v, want %v", tt.types, tt.bits, col, got, want)
			}
			if err := src.readStored(row-1, b, limit, buf); err != nil {
				t.Errorf("%v, the row before: %v", tt.types, err)
			}
		}
	}
}

// A limit says of every number what decode says of it.
func TestLimit(t *testing.T) {
	half := newF16Values()
	for _, scale := range []float32{1, 1e-30, 0x1p-149, 3, 1e10, 1e33, math.MaxFloat32} {
		for _, dt := range []dtype{f16, bf16, f32} {
			limit, size := dt.limit(scale), int(dt.size())
			numbers := 1 << 16
			if dt == f32 {
				numbers = 1 << 12
			}
			for i := range numbers {
				bits := uint32(i)
				if dt == f32 { // all exponents, and the numbers around the limit
					bits = uint32(i) << 20
					if i%2 == 1 {
						bits = limit.most + uint32(i%64) - 32
					}
				}
				x := make([]byte, 37*size)
				at := i % 37 * size
				x[at], x[at+1] = byte(bits), byte(bits>>8)
				if size == 4 {
					binary.LittleEndian.PutUint32(x[at:], bits)
				}
				if got, want := limit.holds(x), dt.decode(make([]float32, 37), x, scale, half); got != want {
					t.Fatalf("%s %x times %g: within the limit: %v, finite: %v", dt, bits, scale, got, want)
				}
			}
		}
	}
	if v := f16.number(f16.limit(1).most); v != 65504 || bf16.limit(1).most != 0x7f7f {
		t.Errorf("the largest numbers are %g and %x", v, bf16.limit(1).most)
	}
}

// ReadStored refuses rows that there are not, and room that does not fit.
func TestReadStoredRefuses(t *testing.T) {
	s := memory{"a.safetensors": bitsFile(t, f16, 6, bitsOf(f16, 1, 6*20))}.open(t, trainer.DataSpec{})
	for _, rows := range [][]int64{{-1}, {20}, {3, 1 << 62}} {
		if err := s.ReadStored(rows, make([]byte, 12*len(rows))); err == nil {
			t.Errorf("rows %v are read", rows)
		}
	}
	if err := s.ReadStored([]int64{1, 2}, make([]byte, 25)); err == nil {
		t.Error("two rows of 12 bytes are read to 25 bytes")
	}
}

// BenchmarkStored reads batches of 4,096 rows of 4,096 numbers in F16 as a GPU takes them, from 512 MiB in the
// page cache: on one goroutine, and on as many as there are cores. Decode is Batch, on one.
func BenchmarkStored(b *testing.B) {
	const rows, dim, batch = 1 << 16, 4096, 4096
	t := []safetensors.Tensor{{Name: "x", DType: "F16", Shape: []int64{rows, dim}}}
	head := tensorFileOf(b, t, nil)
	path := write(b, b.TempDir(), "a.safetensors", append(head, bytes.Repeat([]byte{0x2c}, int(t[0].End))...))
	s := open(b, trainer.DataSpec{Source: path, Verify: "sample"}, Options{})
	numbers, x, y := make([]int64, batch), make([]byte, 2*batch*dim), make([]float32, batch*dim)
	for step := range int64(3 * rows / batch) { // pages are mapped when they are first read
		if err := s.Batch(1, step, y); err != nil {
			b.Fatal(err)
		}
	}
	for name, read := range map[string]func() error{
		"decode": func() error { return s.Batch(1, 0, y) },
		"one":    func() error { return s.ReadStored(numbers, x) },
		"cores":  func() error { return trainer.ReadRows(s, numbers, x) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(2 * batch * dim)
			for step := int64(0); b.Loop(); step++ {
				if err := errors.Join(s.BatchRows(1, step, numbers), read()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
