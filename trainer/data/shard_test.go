package data

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// badShards returns files that cannot be used, with parts of the error for each.
func badShards(t testing.TB) map[string]struct {
	file []byte
	want []string
} {
	good := tensorFile(t, 4, numbered(0, 5, 4))
	npy := func(descr, fortran, shape string, n int) []byte {
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, fortran, shape)
		return npyFile(header, make([]byte, n))
	}
	tensor := func(name, dtype string, shape ...int64) safetensors.Tensor {
		return safetensors.Tensor{Name: name, DType: dtype, Shape: shape}
	}
	tensors := func(tt ...safetensors.Tensor) []byte {
		b := tensorFileOf(t, tt, nil)
		return append(b, make([]byte, tt[len(tt)-1].End)...)
	}
	return map[string]struct {
		file []byte
		want []string
	}{
		"empty.safetensors":     {nil, []string{"the file is empty"}},
		"empty.npy":             {nil, []string{"the file is empty"}},
		"tiny.safetensors":      {[]byte("short"), []string{"too few", "copy or write it again"}},
		"truncated.safetensors": {good[:len(good)-1], []string{"truncated", "copy or write it again"}},
		"header.safetensors":    {good[:20], []string{"header's length", "20 bytes"}},
		"length.safetensors":    {[]byte("\xff\xff\xff\xff\xff\xff\xff\x7f{}"), []string{"header's length"}},
		"json.safetensors":      {[]byte("\x02\x00\x00\x00\x00\x00\x00\x00{]"), []string{"header"}},
		"norows.safetensors":    {tensorFile(t, 4, nil), []string{"holds no rows", "remove the file"}},
		"nowidth.safetensors":   {tensors(tensor("x", "F32", 3, 0)), []string{"no width"}},
		"wide.safetensors":      {tensors(tensor("x", "F16", 1, maxDim+1)), []string{"wider than 1048576"}},
		"none.safetensors": {tensors(tensor("bias", "F32", 3), tensor("ids", "I32", 3, 2, 2)),
			[]string{"no tensor holds floating-point numbers in two", "bias [3]", "ids [3 2 2]", "under the name activations"}},
		"several.safetensors": {tensors(
			tensor("mlp", "F32", 2, 2),
			tensor("resid", "F32", 3, 2)), []string{"mlp [2 2]", "resid [3 2]", "none has the name activations", "data.tensor"}},
		"vector.safetensors": {tensors(tensor("activations", "F32", 12)),
			[]string{"activations has shape [12]", "reshape"}},
		"f8.safetensors":  {tensors(tensor("activations", "F8_E5M2", 3, 2)), []string{"dtype F8_E5M2", "F32, F16 or BF16"}},
		"int.safetensors": {tensors(tensor("activations", "I64", 3, 2)), []string{"dtype I64", "F32, F16 or BF16"}},
		"magic.npy":       {[]byte("PK\x03\x04 an .npz is a zip file"), []string{"not a .npy file"}},
		"version.npy":     {[]byte("\x93NUMPY\x09\x00\x02\x00{}"), []string{"version 9"}},
		"huge.npy":        {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), []string{"header claims 4294967295 bytes"}},
		"header.npy":      {[]byte("\x93NUMPY\x01\x00\x76\x00{'descr'"), []string{"truncated in its header"}},
		"truncated.npy": {npy("<f4", "False", "(2, 3)", 23),
			[]string{"truncated", "24 bytes", "holds 23", "copy or write it again"}},
		"more.npy":             {npy("<f4", "False", "(2, 3)", 25), []string{"1 bytes follow", "one array per file"}},
		"norows.npy":           {npy("<f4", "False", "(0, 3)", 0), []string{"holds no rows"}},
		"vector.npy":           {npy("<f4", "False", "(6,)", 24), []string{"shape [6]", "reshape"}},
		"overflow.npy":         {npy("<f4", "False", "(4611686018427387904, 4)", 24), []string{"larger than any file"}},
		"fortran.npy":          {npy("<f4", "True", "(2, 3)", 24), []string{"Fortran order", "ascontiguousarray"}},
		"int.npy":              {npy("<i8", "False", "(2, 3)", 48), []string{`"<i8"`, "astype('<f4')"}},
		"cubes.npy":            {npy("<f8", "False", "(4294967296, 4294967296, 4)", 48), []string{"larger than any file"}},
		"nothing.npy":          {npy("<f4", "False", "(3, 0, 4)", 0), []string{"holds no rows"}},
		"big.npy":              {npy(">f4", "False", "(2, 3)", 24), []string{`">f4"`, "little-endian"}},
		"void.npy":             {npy("|V4", "False", "(2, 3)", 24), []string{`"|V4"`, "little-endian"}},
		"some_dir/nested.npy":  {[]byte("nonsense"), []string{"some_dir/nested.npy"}},
		"zz_short_magic.npy":   {[]byte("\x93NUMPY"), []string{"not a .npy file"}},
		"zz_no_header_len.npy": {[]byte("\x93NUMPY\x02\x00\x10\x00"), []string{"truncated in its header"}},
	}
}

func TestBadShards(t *testing.T) {
	all := memory{}
	cases := badShards(t)
	for name, tt := range cases {
		all[name] = tt.file
		_, err := openFrom(t.Context(), memory{name: tt.file}, trainer.DataSpec{Source: "memory"}, Options{})
		if err == nil {
			t.Errorf("%s opens", name)
			continue
		}
		var shard *ShardError
		if !errors.Is(err, ErrBad) || !errors.As(err, &shard) || shard.File != name {
			t.Errorf("%s: %v is no ShardError of the file", name, err)
		}
		for _, want := range append(tt.want, "shard "+name+": ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\n\tdoes not say %q", name, err, want)
			}
		}
	}

	// Opened together, and with a good shard among them, all give their errors, in order.
	all["good.safetensors"] = tensorFile(t, 4, numbered(0, 5, 4))
	_, err := openFrom(t.Context(), all, trainer.DataSpec{Source: "memory"}, Options{})
	lines := strings.Split(strings.ReplaceAll(err.Error(), "\n  ", " "), "\n") // without those of Python
	if len(lines) != len(cases) || !strings.HasPrefix(lines[0], "shard big.npy: ") || !errors.Is(err, ErrBad) {
		t.Errorf("%d errors, want %d:\n%v", len(lines), len(cases), err)
	}
}

func TestMixedWidth(t *testing.T) {
	_, err := openFrom(t.Context(), memory{
		"a.safetensors": tensorFile(t, 4, numbered(0, 5, 4)),
		"b.safetensors": tensorFile(t, 8, numbered(0, 5, 8)),
		"c.safetensors": tensorFile(t, 2, numbered(0, 5, 2)),
	}, trainer.DataSpec{Source: "memory"}, Options{})
	if err == nil || !errors.Is(err, ErrBad) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"shard b.safetensors", "have 8 numbers", "those of a.safetensors have 4", "shard c.safetensors", "have 2 numbers",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n\tdoes not say %q", err, want)
		}
	}
}

func TestNonFiniteRows(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	a, b := numbered(0, 50, 4), numbered(50, 50, 4)
	a[4*17+2], a[4*30] = nan, inf
	b[4*3+1] = inf
	m := memory{"a.safetensors": tensorFile(t, 4, a), "b.safetensors": tensorFile(t, 4, b)}

	_, err := openFrom(t.Context(), m, trainer.DataSpec{Source: "memory", EvalTokens: 1}, Options{})
	var row *BadRowError
	if !errors.Is(err, ErrBad) || !errors.As(err, &row) {
		t.Fatalf("open: %v", err)
	}
	for _, want := range []string{
		"a.safetensors: row 17: NaN in column 2, and at least 1 more", "b.safetensors: row 3: -Inf", "in column 1: leave",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n\tdoes not say %q", err, want)
		}
	}

	// A row that is changed after Open has read its sample is an error of the batch.
	good := memory{"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4))}
	s := good.open(t, trainer.DataSpec{EvalTokens: 10})
	for i := range 50 {
		copy(good["a.safetensors"][len(good["a.safetensors"])-16*(i+1):], "\x00\x00\xc0\x7f")
	}
	x := make([]float32, 8*4)
	for name, err := range map[string]error{"batch": s.Batch(1, 0, x), "eval": s.Eval(0, x)} {
		if !errors.As(err, &row) || !errors.Is(err, ErrBad) || row.File != "a.safetensors" || row.Col != 0 ||
			!math.IsNaN(float64(row.Value)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDiskErrorsAreNotBadData(t *testing.T) {
	m := memory{
		"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4)),
		"b.npy":         npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", make([]byte, 32)),
	}
	fails := 0
	for n := 0; ; n++ {
		left := n
		s, err := openFrom(t.Context(), failingOpener{m, &left}, trainer.DataSpec{Source: "memory"}, Options{Workers: 1})
		if err == nil {
			err = s.Batch(1, 0, make([]float32, 4*20))
		}
		if err == nil {
			break
		}
		fails++
		if !errors.Is(err, errDisk) {
			t.Fatalf("read %d: %v hides the cause", n, err)
		}
		if errors.Is(err, ErrBad) {
			t.Fatalf("read %d: %v is called bad data", n, err)
		}
	}
	if fails < 50 {
		t.Errorf("only %d reads", fails)
	}
}

func FuzzShard(f *testing.F) {
	for name, tt := range badShards(f) {
		f.Add(tt.file, strings.HasSuffix(name, ".npy"))
	}
	f.Add(tensorFile(f, 4, numbered(0, 5, 4)), false)
	f.Fuzz(func(t *testing.T, b []byte, npy bool) {
		name := "a.safetensors"
		if npy {
			name = "a.npy"
		}
		s, err := openFrom(t.Context(), memory{name: b}, trainer.DataSpec{Source: "memory"}, Options{Workers: 1})
		if err != nil {
			if !errors.Is(err, ErrBad) {
				t.Fatalf("%v is not called bad data", err)
			}
			return
		}
		if i := s.Info(); i.Rows < 1 || i.Dim < 1 || i.Bytes > int64(len(b)) {
			t.Fatalf("%+v of %d bytes", i, len(b))
		}
		if err := s.Batch(0, 0, make([]float32, s.Dim())); err != nil {
			t.Fatal(err)
		}
	})
}
