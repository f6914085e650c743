package data

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

func TestFingerprint(t *testing.T) {
	a, b := numbered(0, 50, 4), numbered(50, 50, 4)
	base := func() memory {
		return memory{"a.safetensors": tensorFile(t, 4, a), "b.safetensors": tensorFile(t, 4, b)}
	}
	print := func(m memory, spec trainer.DataSpec) string {
		if spec.Synthetic == nil {
			spec.Source = "memory"
		}
		return openWith(t, m, spec, Options{}).Info().Fingerprint
	}
	want := print(base(), trainer.DataSpec{})
	if len(want) != 32 {
		t.Errorf("fingerprint %s", want)
	}

	renamed := memory{"dir/x-0.safetensors": base()["a.safetensors"], "dir/x-1.safetensors": base()["b.safetensors"]}
	if got := print(renamed, trainer.DataSpec{}); got != want {
		t.Errorf("renamed: %s, want %s", got, want)
	}
	named := trainer.DataSpec{Normalize: "none", EvalTokens: 10, Names: trainer.Names{LMName: "gpt2"}}
	if got := print(base(), named); got != want {
		t.Errorf("defaults spelt out: %s, want %s", got, want)
	}

	seen := map[string]string{want: "base"}
	differs := func(name string, m memory, spec trainer.DataSpec) {
		t.Helper()
		got := print(m, spec)
		if seen[got] != "" {
			t.Errorf("%s and %s have one fingerprint", name, seen[got])
		}
		seen[got] = name
	}
	differs("eval_tokens", base(), trainer.DataSpec{EvalTokens: 11})
	differs("normalize", base(), trainer.DataSpec{Normalize: "mean_square"})
	swapped := memory{"a.safetensors": base()["b.safetensors"], "b.safetensors": base()["a.safetensors"]}
	differs("order", swapped, trainer.DataSpec{})
	together := memory{"a.safetensors": tensorFile(t, 4, numbered(0, 100, 4))}
	if got := print(together, trainer.DataSpec{}); got != want {
		t.Errorf("in one shard: %s, want %s", got, want)
	}
	narrow := memory{"a.safetensors": tensorFile(t, 2, a), "b.safetensors": tensorFile(t, 2, b)}
	differs("width", narrow, trainer.DataSpec{})
	bit := base()
	bit["b.safetensors"][len(bit["b.safetensors"])-17] ^= 1
	differs("one bit", bit, trainer.DataSpec{})

	syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
	differs("synthetic", memory{}, trainer.DataSpec{Synthetic: &syn})
}

func TestFingerprintOfSynthetic(t *testing.T) {
	seen := map[string]int{}
	for i, change := range []func(s *trainer.Synthetic){
		func(*trainer.Synthetic) {},
		func(s *trainer.Synthetic) { s.ActivationDim++ },
		func(s *trainer.Synthetic) { s.Directions++ },
		func(s *trainer.Synthetic) { s.Tokens++ },
		func(s *trainer.Synthetic) { s.Active++ },
		func(s *trainer.Synthetic) { s.Zipf++ },
		func(s *trainer.Synthetic) { s.Noise++ },
		func(s *trainer.Synthetic) { s.Seed++ },
	} {
		syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
		change(&syn)
		seen[open(t, trainer.DataSpec{Synthetic: &syn}, Options{}).Info().Fingerprint] = i
	}
	if len(seen) != 8 {
		t.Errorf("%d fingerprints of 8 settings", len(seen))
	}
}

// shardBytes returns a shard of the rows that are given as stored.
func shardBytes(t testing.TB, npy bool, dt dtype, dim int, rows []byte) []byte {
	t.Helper()
	n := int64(len(rows)) / int64(dim) / dt.size()
	if npy {
		descr := map[dtype]string{f32: "<f4", f16: "<f2"}[dt]
		return npyFile(fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d)}", descr, n, dim), rows)
	}
	tensors := []safetensors.Tensor{{Name: "x", DType: string(dt), Shape: []int64{n, int64(dim)}}}
	return append(tensorFileOf(t, tensors, nil), rows...)
}

// split writes rows, each of its dtype, into random shards, .npy or safetensors.
func split(t testing.TB, r *rand.Rand, dim int, rows [][]byte, dts []dtype) memory {
	m := memory{}
	for from := 0; from < len(rows); {
		to := from + 1
		for last := from + 1 + r.IntN(len(rows)-from); to < last && dts[to] == dts[from]; {
			to++
		}
		name := fmt.Sprintf("%06d.npy", from)
		npy := dts[from] != bf16 && r.IntN(2) == 0
		if !npy {
			name = fmt.Sprintf("%06d.safetensors", from)
		}
		m[name] = shardBytes(t, npy, dts[from], dim, bytes.Join(rows[from:to], nil))
		from = to
	}
	return m
}

func contentOf(t testing.TB, m memory, sampled bool) content {
	t.Helper()
	// Copies of shards and rows that are few are refused elsewhere: here only bytes count.
	s := &shards{half: newF16Values()}
	names := slices.Sorted(maps.Keys(m))
	if errs := append(s.open(t.Context(), m, names, 1), s.index()...); len(errs) > 0 {
		t.Fatal(errs)
	}
	c, err := s.hash(t.Context(), sampled, 1+rand.IntN(4), func(int64) {}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// However rows are split into files, the digest is the same. With one bit, the order of two
// rows or a dtype changed, it is another.
func TestDigestDependsOnRowsAlone(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		dim := []int{1, 3, 64, 1 << 18}[r.IntN(4)]
		if seed == 0 {
			dim = blockNumbers // a block is a row
		}
		n := 2 + r.IntN(min(3000, 4*blockNumbers/dim))
		rows, dts := make([][]byte, n), make([]dtype, n)
		mixed := r.IntN(2) == 0
		for i := range rows {
			if dts[i] = f32; mixed && r.IntN(8) < 2 {
				dts[i] = []dtype{f16, bf16}[r.IntN(2)]
			}
			rows[i] = make([]byte, dim*int(dts[i].size()))
			for j := 0; j < len(rows[i]); j += int(dts[i].size()) {
				rows[i][j] = byte(r.Uint32()) // a small denormal number: finite in each dtype
			}
		}
		want := contentOf(t, split(t, r, dim, rows, dts), false).String()
		for range 3 {
			if got := contentOf(t, split(t, r, dim, rows, dts), false).String(); got != want {
				t.Fatalf("seed %d: %d rows of %d split anew: %s, want %s", seed, n, dim, got, want)
			}
		}
		differs := func(what string) {
			t.Helper()
			if contentOf(t, split(t, r, dim, rows, dts), false).String() == want {
				t.Errorf("seed %d: %d rows of %d: %s gives the same digest", seed, n, dim, what)
			}
		}
		row := rows[r.IntN(n)]
		at, bit := r.IntN(len(row)), byte(1)<<r.IntN(8)
		row[at] ^= bit
		differs("a changed bit")
		row[at] ^= bit
		if i, j := r.IntN(n), r.IntN(n); !bytes.Equal(rows[i], rows[j]) {
			rows[i], rows[j], dts[i], dts[j] = rows[j], rows[i], dts[j], dts[i]
			differs("a swap of two rows")
			rows[i], rows[j], dts[i], dts[j] = rows[j], rows[i], dts[j], dts[i]
		}
		rows, dts = rows[:n-1], dts[:n-1]
		differs("a row less")
	}
}

// The same bytes of another dtype or width are other data, and so are equal numbers in
// another dtype.
func TestDigestDependsOnDType(t *testing.T) {
	raw := bytes.Repeat([]byte{0, 0x3c, 0, 0x40}, 64)
	seen := map[string]string{}
	for name, m := range map[string]memory{
		"f16":        {"a.safetensors": shardBytes(t, false, f16, 4, raw)},
		"bf16":       {"a.safetensors": shardBytes(t, false, bf16, 4, raw)},
		"f32":        {"a.safetensors": shardBytes(t, false, f32, 4, raw)},
		"f32 by two": {"a.safetensors": shardBytes(t, false, f32, 2, raw)},
		"f16 by two": {"a.safetensors": shardBytes(t, false, f16, 2, raw)},
		"half of f16": {
			"a.npy":         shardBytes(t, true, f16, 4, raw[:128]),
			"b.safetensors": shardBytes(t, false, bf16, 4, raw[128:]),
		},
	} {
		d := contentOf(t, m, false).String()
		if seen[d] != "" {
			t.Errorf("%s and %s have one digest", name, seen[d])
		}
		seen[d] = name
	}
}

// sparse returns a shard of one dtype whose rows are zeros.
func sparse(t testing.TB, dim, rows int) memory {
	return memory{"a.safetensors": shardBytes(t, false, f16, dim, make([]byte, 2*dim*rows))}
}

// With verify: sample the first and the last block count, and 64 of them or more; what is
// between them does not. The fingerprint says that it is of a sample.
func TestSampledDigest(t *testing.T) {
	const dim, rows = blockNumbers, 80
	m := sparse(t, dim, rows)
	b := m["a.safetensors"]
	first := len(b) - 2*dim*rows
	want := contentOf(t, m, true)
	if len(want.blocks) != sampledBlocks || !strings.HasPrefix(want.String(), "sampled-") {
		t.Fatalf("%d blocks, %v", len(want.blocks), want)
	}
	hashed := map[int64]bool{}
	s := shards{width: dim, count: rows}
	for i := range int64(sampledBlocks) {
		from, _ := s.block(i, true)
		hashed[from] = true
	}
	for _, row := range []int{0, 1, 2, 3, 4, 5, 79} { // of the first six, one is not hashed
		at := first + row*2*dim + 5
		b[at] ^= 1
		if got := contentOf(t, m, true).digest != want.digest; got != hashed[int64(row)] {
			t.Errorf("a change of row %d is seen: %v", row, got)
		}
		b[at] ^= 1
	}
	spec := trainer.DataSpec{Source: "memory", EvalTokens: 3, Verify: "sample"}
	got := openWith(t, sparse(t, 4, 100), spec, Options{}).Info().Fingerprint
	if len(got) != len("sampled-")+32 || !strings.HasPrefix(got, "sampled-") {
		t.Errorf("fingerprint %s", got)
	}
	for n := range int64(600) {
		s := shards{width: blockNumbers, count: n + 1}
		last, k := int64(-1), s.blockCount(true)
		for i := range k {
			from, to := s.block(i, true)
			if from <= last || to != from+1 || i == 0 && from != 0 || i == k-1 && to != s.count {
				t.Fatalf("%d blocks: the %d-th hashed is [%d, %d) after %d", n+1, i, from, to, last)
			}
			last = from
		}
	}
}
