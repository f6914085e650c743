//go:build cuda

package cuda_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// shardsOf writes a shard of 200 rows of width d for each type, and opens them.
func shardsOf(t *testing.T, d int, normalize string, types ...string) *data.Set {
	t.Helper()
	folder := t.TempDir()
	for i, dtype := range types {
		b, err := safetensors.EncodeHeader(
			[]safetensors.Tensor{{Name: "activations", DType: dtype, Shape: []int64{200, int64(d)}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 200 * d {
			bits := math.Float32bits(float32(trainer.Uniform(uint64(i), 1, uint64(j)) - 0.4))
			switch dtype {
			case "F16":
				b = binary.LittleEndian.AppendUint16(b, uint16(bits>>16&0x8000|(bits>>13-0x1c000)&0x3fff))
			case "BF16":
				b = binary.LittleEndian.AppendUint16(b, uint16(bits>>16))
			default:
				b = binary.LittleEndian.AppendUint32(b, bits)
			}
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(i, ".safetensors")), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := data.Open(t.Context(), trainer.DataSpec{Source: folder, Normalize: normalize, EvalTokens: 10},
		data.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// streamed is a data set that is too large for any GPU.
type streamed struct{ *source }

func (s streamed) Dataset() trainer.Dataset { return s }
func (streamed) Rows() int64                { return 1 << 50 }
func (s streamed) Identity() string         { return s.source.Identity() + " streamed" }

// TestStoredBits trains on rows that the GPU widens, of a data set that it holds and of batches that are uploaded. They
// must give the bits of batches that the host has decoded.
func TestStoredBits(t *testing.T) {
	b := open(t)
	for _, tt := range []struct {
		d         int
		normalize string
		types     []string
		stored    trainer.NumberType
	}{
		{5, "", []string{"F16"}, trainer.F16},
		{24, "mean_square", []string{"F16", "F16"}, trainer.F16},
		{12, "mean_square", []string{"F16"}, trainer.F16},
		{7, "mean_square", []string{"BF16"}, trainer.BF16},
		{20, "none", []string{"BF16"}, trainer.BF16},
		{10, "mean_square", []string{"F32"}, trainer.F32},
		{16, "mean_square", []string{"F32"}, trainer.F32},
		{9, "mean_square", []string{"F16", "BF16", "F32"}, trainer.F32},
	} {
		t.Run(fmt.Sprint(tt.d, tt.types, tt.normalize), func(t *testing.T) {
			set := shardsOf(t, tt.d, tt.normalize, tt.types...)
			f := set.Format()
			if f.Type != tt.stored || (f.Scale != 1) != (tt.normalize == "mean_square") {
				t.Fatalf("format %v", f)
			}
			c := config("corrected")
			c.ActivationDim, c.BatchSize, c.DeadFeatureThreshold = tt.d, 33, 100
			train := func(data trainer.Batches) *trainer.State {
				m := newModel(t, b, c, trainer.Init(c), data)
				backendtest.Train(t, m, 4)
				backendtest.Train(t, m, 9) // what was uploaded ahead is dropped
				return saved(t, m, c)
			}
			decoded := &source{Set: set}
			want := train(decoded)
			uploaded, resident := &source{Set: set, numbered: true}, &source{Set: set, numbered: true}
			t.Run("uploaded", func(t *testing.T) { backendtest.SameState(t, c, train(streamed{uploaded}), want) })
			t.Run("resident", func(t *testing.T) { backendtest.SameState(t, c, train(resident), want) })
			if decoded.batches < 9 || uploaded.batches+resident.batches > 0 || resident.stored != set.Rows() ||
				uploaded.stored < 9*int64(c.BatchSize) || uploaded.stored%int64(c.BatchSize) != 0 {
				t.Errorf("rows read: decoded %+v, uploaded %+v, resident %+v", decoded, uploaded, resident)
			}
		})
	}
}
