package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// two are 100 rows to train on and 30 others, of 4 numbers.
func two(t testing.TB) sources {
	return sources{
		"train": {
			"a.safetensors": tensorFile(t, 4, numbered(0, 60, 4)), "b.safetensors": tensorFile(t, 4, numbered(60, 40, 4)),
		},
		"eval": {
			"a.safetensors": tensorFile(t, 4, numbered(200, 20, 4)), "b.safetensors": tensorFile(t, 4, numbered(220, 10, 4)),
		},
	}
}

func apart(spec trainer.DataSpec) trainer.DataSpec {
	spec.Source, spec.EvalSource = "train", "eval"
	return spec
}

// firstNumbers returns the first number of n rows that read gives.
func firstNumbers(t *testing.T, n int64, read func(x []float32) error) (out []float32) {
	t.Helper()
	x := make([]float32, 4*n)
	if err := read(x); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		out = append(out, x[4*i])
	}
	return out
}

// All rows of the source train, once an epoch, and the rows of eval_source are held out: all of them, or the first of a
// fixed order.
func TestEvalSource(t *testing.T) {
	s := openWith(t, two(t), apart(trainer.DataSpec{}), Options{})
	info := s.Info()
	if info.Rows != 130 || info.EvalRows != 30 || s.EvalRows() != 30 || s.Rows() != 100 || info.Shards != 4 ||
		info.Bytes != 130*16 || info.Dim != 4 || info.DType != "F32" || info.EvalRepeated != 0 || len(info.Notes) > 0 {
		t.Errorf("%d rows, info %+v", s.Rows(), info)
	}
	for epoch := range int64(3) {
		got := firstNumbers(t, 100, func(x []float32) error { return s.Tokens(7, 100*epoch, x) })
		slices.Sort(got)
		for i, v := range got {
			if v != float32(i) {
				t.Fatalf("epoch %d trains on %v", epoch, got)
			}
		}
	}
	all := firstNumbers(t, 30, func(x []float32) error { return s.Eval(0, x) })
	sorted := slices.Sorted(slices.Values(all))
	for i, v := range sorted {
		if v != float32(200+i) {
			t.Fatalf("held out are %v", sorted)
		}
	}
	if slices.Equal(all, sorted) {
		t.Error("held-out rows have the order of the files: the first of them are not a fair choice")
	}
	few := openWith(t, two(t), apart(trainer.DataSpec{EvalTokens: 12}), Options{})
	got := firstNumbers(t, 12, func(x []float32) error { return few.Eval(0, x) })
	if !slices.Equal(got, all[:12]) || few.Info().Rows != 112 || few.EvalRows() != 12 {
		t.Errorf("12 rows are %v, of all %v; %+v", got, all, few.Info())
	}
	if err := few.Eval(10, make([]float32, 12)); err == nil {
		t.Error("rows 10 to 13 of 12 are read")
	}
	if got := s.LocateEval(0); !strings.HasPrefix(got, "shard eval/") {
		t.Errorf("the first held-out row is in %s", got)
	}
	if got := s.Locate(0); got != "shard train/a.safetensors, row 0" {
		t.Errorf("row 0 is in %s", got)
	}
	rows := make([]int64, 100)
	if err := s.BatchRows(7, 0, rows); err != nil || slices.Max(rows) != 99 {
		t.Errorf("a batch has rows up to %d, %v", slices.Max(rows), err)
	}
}

// Scale and limit of the norm are those of the training rows, and are for both.
func TestEvalSourceScaleAndNorm(t *testing.T) {
	files := two(t)
	files["eval"]["a.safetensors"] = tensorFile(t, 4, numbered(20, 20, 4)) // other rows of norms as in the source
	spec := trainer.DataSpec{Normalize: "mean_square", MaxNorm: "150"}
	s := openWith(t, files, apart(spec), Options{})
	spec.Source, spec.EvalTokens = "train", 1
	whole := openWith(t, files, trainer.DataSpec{Source: "train", EvalTokens: 1, Normalize: "none"}, Options{})
	kept, square := 0, 0.0
	x := make([]float32, 4)
	for i := range whole.Rows() {
		if err := readRows(whole, i, x); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range x {
			sum += float64(v) * float64(v)
		}
		if math.Sqrt(sum) <= 150 {
			kept, square = kept+1, square+sum
		}
	}
	info := s.Info()
	if want := 1 / math.Sqrt(square/float64(kept)); !(math.Abs(info.Scale-want) <= 1e-6*want) {
		t.Errorf("scale %v, want %v", info.Scale, want)
	}
	// The ten rows of b have norms over 400.
	if info.EvalRows != 20 || info.Rows != int64(kept)+20 || info.LeftOut != int64(100-kept)+10 || info.MaxNorm != 150 {
		t.Errorf("%d kept of the source; %+v", kept, info)
	}
	for _, v := range firstNumbers(t, 20, func(x []float32) error { return s.Eval(0, x) }) {
		if !(float64(v) >= 19.99*info.Scale && float64(v) <= 40*info.Scale) {
			t.Errorf("a held-out row begins with %v, the scale is %v", v, info.Scale)
		}
	}
	// A multiple of the median is that of the source.
	spec = trainer.DataSpec{MaxNorm: "1.5x_median"}
	a := openWith(t, files, apart(spec), Options{}).Info()
	files["eval"]["b.safetensors"] = tensorFile(t, 4, numbered(9000, 10, 4))
	if b := openWith(t, files, apart(spec), Options{}).Info(); a.MaxNorm != b.MaxNorm || !(a.MaxNorm > 1) {
		t.Errorf("max_norm is %v, and %v with other held-out rows", a.MaxNorm, b.MaxNorm)
	}
}

// Any change of a row of either source is another fingerprint, however the rows are split into files.
func TestEvalSourceFingerprint(t *testing.T) {
	print := func(files sources, spec trainer.DataSpec) string {
		return openWith(t, files, apart(spec), Options{}).Info().Fingerprint
	}
	want := print(two(t), trainer.DataSpec{})
	seen := map[string]string{want: "base"}
	differs := func(name, got string) {
		t.Helper()
		if seen[got] != "" {
			t.Errorf("%s and %s have one fingerprint", name, seen[got])
		}
		seen[got] = name
	}
	for shard, b := range two(t)["eval"] {
		for at := len(b) - 1; at > len(b)-16*10; at -= 4 {
			files := two(t)
			files["eval"][shard][at-2] ^= 1
			differs(fmt.Sprintf("bit of byte %d of %s", at, shard), print(files, trainer.DataSpec{}))
		}
	}
	files := two(t)
	files["train"]["a.safetensors"][len(files["train"]["a.safetensors"])-2] ^= 1
	differs("a bit of the source", print(files, trainer.DataSpec{}))
	differs("eval_tokens", print(two(t), trainer.DataSpec{EvalTokens: 29}))
	differs("normalize", print(two(t), trainer.DataSpec{Normalize: "mean_square"}))
	differs("max_norm", print(two(t), trainer.DataSpec{MaxNorm: "5000"}))
	files = two(t)
	files["train"], files["eval"] = files["eval"], files["train"]
	differs("the sources exchanged", print(files, trainer.DataSpec{}))
	files = two(t)
	delete(files["eval"], "b.safetensors")
	differs("20 held-out rows", print(files, trainer.DataSpec{}))
	for _, tokens := range []int64{0, 30} {
		alone := openWith(t, two(t), trainer.DataSpec{Source: "train", EvalTokens: tokens}, Options{})
		differs(fmt.Sprintf("no eval_source, %d rows", tokens), alone.Info().Fingerprint)
	}
	sampled := print(two(t), trainer.DataSpec{Verify: "sample"})
	differs("sampled", sampled)
	if !strings.HasPrefix(sampled, "sampled-") || strings.HasPrefix(want, "sampled-") {
		t.Errorf("fingerprints %s and, of a sample, %s", want, sampled)
	}

	if got := print(two(t), trainer.DataSpec{EvalTokens: 30}); got != want {
		t.Errorf("all rows counted: %s, want %s", got, want)
	}
	files = two(t)
	files["eval"] = memory{"one.safetensors": tensorFile(t, 4, numbered(200, 30, 4))}
	if got := print(files, trainer.DataSpec{}); got != want {
		t.Errorf("in one file: %s, want %s", got, want)
	}
	s := openWith(t, two(t), apart(trainer.DataSpec{}), Options{})
	if _, err := s.FingerprintV1(t.Context()); !errors.Is(err, ErrBad) {
		t.Errorf("version 1 of the fingerprint: %v", err)
	}
}

func TestEvalSourceErrors(t *testing.T) {
	nan := numbered(200, 20, 4)
	nan[7*4+2] = float32(math.NaN())
	huge := numbered(200, 20, 4)
	huge[3] = 2e30
	one := func(dim int, x []float32) func(sources) {
		return func(s sources) { s["eval"] = memory{"a.safetensors": tensorFile(t, dim, x)} }
	}
	syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1}
	for name, test := range map[string]struct {
		change func(sources)
		spec   trainer.DataSpec
		want   string
	}{
		"missing":      {func(s sources) { delete(s, "eval") }, trainer.DataSpec{}, "data eval: file does not exist"},
		"width":        {one(2, numbered(0, 9, 2)), trainer.DataSpec{}, "rows of 2 numbers, and the source train rows of 4"},
		"not finite":   {one(4, nan), trainer.DataSpec{}, "shard eval/a.safetensors: row 7: NaN in column 2"},
		"huge":         {one(4, huge), trainer.DataSpec{}, "data eval: the held-out rows have numbers as large as 2e+30"},
		"too few":      {nil, trainer.DataSpec{EvalTokens: 31}, "data eval: holding out 31 rows of 30"},
		"all left out": {nil, trainer.DataSpec{MaxNorm: "300"}, "data eval: max_norm: 300 leaves out 30 of 30 rows"},
		"copies": {func(s sources) { s["eval"]["c.safetensors"] = s["eval"]["a.safetensors"] }, trainer.DataSpec{},
			"shard eval/a.safetensors: eval/c.safetensors holds the same rows: they would count twice"},
		"empty shard": {func(s sources) { s["eval"]["c.safetensors"] = nil }, trainer.DataSpec{}, "the file is empty"},
		"synthetic":   {nil, trainer.DataSpec{Synthetic: &syn}, "synthetic data hold out rows of their own"},
		"no source":   {nil, trainer.DataSpec{Source: "-"}, "neither source nor synthetic is given"},
	} {
		files := two(t)
		if test.change != nil {
			test.change(files)
		}
		spec := apart(test.spec)
		if test.spec.Synthetic != nil || test.spec.Source != "" {
			spec.Source = ""
		}
		s, err := openFrom(t.Context(), files, spec, Options{})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if ofEval := name != "synthetic" && name != "no source"; OfEvalSource(err) != ofEval {
			t.Errorf("%s is about eval_source: %v", name, !ofEval)
		}
		if errors.Is(err, ErrMissing) != (name == "missing") {
			t.Errorf("%s is ErrMissing: %v", name, errors.Is(err, ErrMissing))
		}
	}
	// Fewer rows than columns are enough to measure on.
	few := sources{"train": two(t)["train"], "eval": {"a.safetensors": tensorFile(t, 4, numbered(200, 1, 4))}}
	if got := openWith(t, few, apart(trainer.DataSpec{}), Options{}).EvalRows(); got != 1 {
		t.Errorf("%d held-out rows, want 1", got)
	}
}

// Held-out rows that are training rows are counted, and shards that both sources have are noted, not refused.
func TestEvalSourceRepeated(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 8))
		row := func() int { return r.IntN(200) }
		trained := map[int]bool{}
		var train, held []float32
		for range 60 {
			v := row()
			trained[v] = true
			train = append(train, numbered(v, 1, 4)...)
		}
		want := int64(0)
		for range 1 + r.IntN(40) {
			v := row()
			held = append(held, numbered(v, 1, 4)...)
			if trained[v] {
				want++
			}
		}
		files := sources{
			"train": {"a.safetensors": tensorFile(t, 4, train)}, "eval": {"a.safetensors": tensorFile(t, 4, held)},
		}
		if seed%3 == 1 { // rows are then compared in F16, in which numbers up to 200.75 are exact here
			var small []byte
			for i := range 12 {
				small = binary.LittleEndian.AppendUint16(small, f16Bits(i+1))
			}
			files["eval"]["b.safetensors"] = shardBytes(t, false, f16, 4, small)
		}
		s := openWith(t, files, apart(trainer.DataSpec{}), Options{Workers: 1 + r.IntN(3)})
		if got := s.Info().EvalRepeated; got != want {
			t.Errorf("seed %d: %d held-out rows are training rows, want %d", seed, got, want)
		}
	}
	files := two(t)
	files["eval"]["c.safetensors"] = files["train"]["b.safetensors"]
	info := openWith(t, files, apart(trainer.DataSpec{}), Options{}).Info()
	notes := strings.Join(info.Notes, "\n")
	if info.EvalRepeated != 40 || !strings.Contains(notes, "eval_source and source hold equal shards "+
		"(train/b.safetensors and eval/c.safetensors): metrics are not of unseen rows there") ||
		!strings.Contains(notes, "40 of 70 held-out rows are training rows too") {
		t.Errorf("repeated %d, notes %q", info.EvalRepeated, notes)
	}
}

// A set of held-out rows alone has what eval_source would give, with a scale of its own.
func TestOpenHeldOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.safetensors", tensorFile(t, 4, numbered(1, 30, 4)))
	s, err := OpenHeldOut(t.Context(), trainer.DataSpec{Source: dir, Normalize: "mean_square"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := make([]float32, 30*4)
	if err := s.Eval(0, x); err != nil || s.EvalRows() != 30 || s.Dim() != 4 {
		t.Fatalf("%d rows of %d, %v", s.EvalRows(), s.Dim(), err)
	}
	square := 0.0
	for _, v := range x {
		square += float64(v) * float64(v) / 30
	}
	if !(math.Abs(square-1) <= 1e-5) || len(s.Info().Notes) > 0 {
		t.Errorf("mean square %v, notes %q", square, s.Info().Notes)
	}
	for _, spec := range []trainer.DataSpec{
		{Source: dir, EvalTokens: 31}, {Source: dir, EvalSource: dir}, {}, {Source: dir, Normalize: "max"},
		{Source: dir, MaxNorm: "0"}, {Source: dir, EvalTokens: -1}, {Source: filepath.Join(dir, "no")},
	} {
		if s, err := OpenHeldOut(t.Context(), spec, Options{}); !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v, %v", spec, s, err)
		}
	}
}

// Inspect describes both sources, and finds rows of eval_source that are not finite.
func TestInspectEvalSource(t *testing.T) {
	r, err := inspectFrom(t.Context(), two(t), apart(trainer.DataSpec{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := openWith(t, two(t), apart(trainer.DataSpec{}), Options{})
	if r.Rows != 100 || r.EvalRows != 30 || r.EvalSource.Rows != 30 || len(r.EvalSource.Shards) != 2 || r.NoData != "" ||
		r.Data != s.Info().Fingerprint || r.EvalSource.Content == r.Content || len(r.EvalSource.Content) != 32 {
		t.Errorf("%+v, eval_source %+v", r, r.EvalSource)
	}
	bad := numbered(200, 20, 4)
	bad[5] = float32(math.Inf(1))
	files := two(t)
	files["eval"]["a.safetensors"] = tensorFile(t, 4, bad)
	r, err = inspectFrom(t.Context(), files, apart(trainer.DataSpec{}), Options{})
	if err != nil || r.NonFiniteRows != 0 || r.EvalSource.NonFiniteRows != 1 || r.NoData == "" || r.Data != "" ||
		!slices.Equal(r.EvalSource.NonFinite, []BadRow{{"eval/a.safetensors", 1, 1}}) {
		t.Errorf("%+v, eval_source %+v, %v", r, r.EvalSource, err)
	}
}

// A note says where the held-out rows are of another place than those that train.
func TestEvalSourceOfAnotherPlace(t *testing.T) {
	dir := t.TempDir()
	put := func(source, harvest string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, source), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, b := range two(t)[source] {
			write(t, filepath.Join(dir, source), name, b)
		}
		write(t, filepath.Join(dir, source), harvestFile, []byte(harvest))
	}
	notes := func() []string {
		spec := trainer.DataSpec{Source: filepath.Join(dir, "train"), EvalSource: filepath.Join(dir, "eval")}
		names, notes := open(t, spec, Options{}).Names(trainer.Names{})
		if names.Layer == nil || *names.Layer != 3 {
			t.Errorf("names %+v", names)
		}
		return notes
	}
	put("train", whole)
	put("eval", whole)
	if got := notes(); len(got) > 0 {
		t.Errorf("both of one place: %q", got)
	}
	put("eval", strings.Replace(whole, `"layer": 3`, `"layer": 4`, 1))
	const want = "layer of eval_source is 4, and that of the source is 3"
	if got := notes(); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("of layers 3 and 4: %q", got)
	}
}
