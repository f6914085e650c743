package torchfile

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// load reads a file of testdata, which torch.save wrote.
func load(t *testing.T, name string) Value {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".pt"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// plain turns a value into maps and slices that can be compared. A tensor becomes its dtype, shape and elements.
func plain(t *testing.T, v Value) any {
	t.Helper()
	switch v := v.(type) {
	case *Dict:
		var out []any
		for k, item := range v.All() {
			out = append(out, k, plain(t, item))
		}
		return out
	case List:
		out := []any{}
		for _, item := range v {
			out = append(out, plain(t, item))
		}
		return out
	case *Tensor:
		if f, err := v.Float32s(); err == nil {
			return fmt.Sprint(v, f)
		}
		n, err := v.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(v, n)
	}
	return v
}

func TestRead(t *testing.T) {
	nested := []any{
		"text", "ü", "none", nil, "true", true, "false", false,
		"ints", []any{int64(0), int64(255), int64(65535), int64(-1), int64(math.MaxInt32), int64(math.MinInt32),
			int64(1) << 40, int64(-1) << 40, int64(math.MaxInt64), int64(math.MinInt64)},
		"float", 1.5,
		"list", []any{int64(1), []any{int64(2), []any{}}, []any{}},
		"tuple", []any{int64(1), []any{int64(2), int64(3), int64(4), int64(5)}},
		"set", []any{int64(7)}, "frozenset", []any{int64(8)},
		"dict", []any{int64(1), "one", "ordered", []any{"a", int64(1)}},
		"size", []any{int64(2), int64(3)}, "dtype", "torch.float32", "devices", []any{"cpu", "cuda:1"},
		"tensor", "F32[2] [0 1]",
		"again", []any{int64(1), []any{int64(2), []any{}}, []any{}},
	}
	for name, want := range map[string]any{
		"ae": []any{
			"encoder.weight", "F32[4 3] [0 1 2 3 4 5 6 7 8 9 10 11]", "encoder.bias", "F32[4] [0 1 2 3]",
			"decoder.weight", "F32[3 4] [0 1 2 3 4 5 6 7 8 9 10 11]", "b_dec", "F32[3] [0 1 2]",
			"k", "I32[] [2]", "threshold", "F32[] [-1]",
		},
		"tensor": "F32[2 3] [0 1 2 3 4 5]",
		"states": []any{"states", "F16[2 3 4] " + fmt.Sprint(upTo(24))},
		"nested": nested, "nested3": nested, "nested4": nested, "nested5": nested,
		"state_dict": []any{"weight", "F32[2 3] [0 1 2 3 4 5]", "bias", "F32[2] [0 1]"},
		"parameter":  []any{"p", "F32[3] [0 1 2]", "attribute", "F32[2] [0 1]", "buffer", "F32[4] [0 1 2 3]"},
		"views": []any{
			"base", "F32[4 6] " + fmt.Sprint(upTo(24)),
			"transposed", "F32[6 4] [0 6 12 18 1 7 13 19 2 8 14 20 3 9 15 21 4 10 16 22 5 11 17 23]",
			"row", "F32[6] [12 13 14 15 16 17]", "column", "F32[4] [1 7 13 19]", "corner", "F32[2 3] [8 9 10 14 15 16]",
			"steps", "F32[2 2] [0 3 12 15]", "expanded", "F32[3 4] [0 0 0 0 0 0 0 0 0 0 0 0]",
			"permuted", "F32[6 2 2] [0 6 12 18 1 7 13 19 2 8 14 20 3 9 15 21 4 10 16 22 5 11 17 23]",
			"scalar", "F32[] [23]",
		},
		"dtypes": []any{
			"float64", "F64[2] [0 1]", "float32", "F32[2] [0 1]", "float16", "F16[2] [0 1]", "bfloat16", "BF16[2] [0 1]",
			"int64", "I64[2] [0 1]", "int32", "I32[2] [0 1]", "int16", "I16[2] [0 1]", "int8", "I8[2] [0 1]",
			"uint8", "U8[2] [0 1]", "bool", "BOOL[2] [0 1]", "uint16", "U16[2] [0 1]", "uint32", "U32[2] [0 1]",
			"uint64", "U64[2] [0 1]",
		},
		"empty": []any{"none", "F32[0] []", "shape", "F32[2 0 3] []", "dict", []any(nil), "list", []any{}},
	} {
		if got := plain(t, load(t, name)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
}

func upTo(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)
	}
	return out
}

// The state of an optimizer has whole numbers as keys.
func TestReadOptimizer(t *testing.T) {
	state, _ := load(t, "adam").(*Dict).Get("state")
	for key, v := range state.(*Dict).All() {
		step, ok := v.(*Dict).Get("step")
		if key != int64(0) || !ok || fmt.Sprint(plain(t, step)) != "F32[] [1]" {
			t.Errorf("state of key %v: %v", key, plain(t, v))
		}
	}
}

func TestReadNumbers(t *testing.T) {
	d := load(t, "values").(*Dict)
	inf := float32(math.Inf(1))
	third := float32(1) / 3
	for name, want := range map[string][]float32{
		"float16": {0, float32(math.Copysign(0, -1)), 1, -2, 65504, 0x1p-14, 0x1p-24, 3 * 0x1p-24, inf, 0x1.554p-2},
		"bfloat16": {0, float32(math.Copysign(0, -1)), 1, -2, math.Float32frombits(0x7f62 << 16),
			math.Float32frombits(1 << 16), -inf, math.Float32frombits(0x3eab << 16)},
		"float64": {inf, third},
	} {
		v, _ := d.Get(name)
		got, err := v.(*Tensor).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Errorf("%s: element %d is %g, want %g", name, i, got[i], want[i])
			}
		}
	}
	v, _ := d.Get("negative")
	if got, err := v.(*Tensor).Int64s(); err != nil || !reflect.DeepEqual(got, []int64{-1, -128}) {
		t.Errorf("negative: %v, %v", got, err)
	}
	v, _ = d.Get("large")
	if got, err := v.(*Tensor).Int64s(); err == nil {
		t.Errorf("2⁶³ was read as %v", got)
	}
	if got, err := v.(*Tensor).Float32s(); err == nil {
		t.Errorf("whole numbers were read as floats: %v", got)
	}
}

// Files that Python writes, but that hold more than tensors, are refused by the name of what they hold.
func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"legacy":      "torch before version 1.6",
		"module":      "torch.nn.modules.linear.Linear, which is neither a tensor nor a plain container. Nothing",
		"bytes":       "_codecs.encode",
		"complex":     "torch.ComplexFloatStorage",
		"sparse":      "torch._utils._rebuild_sparse_tensor",
		"quantized":   "torch._utils._rebuild_qtensor",
		"negative":    "negated",
		"overlapping": "overlap",
		"numpy":       "NumPy",
		"meta":        "torch._utils._rebuild_meta_tensor_no_storage",
		"tuple_key":   "a key of a dict is a tuple",
		"loop":        "a list contains itself",
		"script":      "TorchScript",
	} {
		b, err := os.ReadFile("testdata/refused/" + name + ".pt")
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(bytes.NewReader(b), int64(len(b)))
		if !errors.Is(err, ErrRefused) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
		t.Logf("%s: %v", name, err)
	}
}
