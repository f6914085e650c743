package data

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/topksweep/sweep/trainer"
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
		return open(t, spec, Options{Opener: m}).Info().Fingerprint
	}
	want := print(base(), trainer.DataSpec{})
	if len(want) != 32 {
		t.Errorf("fingerprint %s", want)
	}

	renamed := memory{"dir/x-0.safetensors": base()["a.safetensors"], "dir/x-1.safetensors": base()["b.safetensors"]}
	if got := print(renamed, trainer.DataSpec{}); got != want {
		t.Errorf("renamed: %s, want %s", got, want)
	}
	if got := print(base(), trainer.DataSpec{Normalize: "none", EvalTokens: 10, LMName: "gpt2"}); got != want {
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
	differs("one shard", memory{"a.safetensors": tensorFile(t, 4, numbered(0, 100, 4))}, trainer.DataSpec{})
	differs("width", memory{"a.safetensors": tensorFile(t, 2, a), "b.safetensors": tensorFile(t, 2, b)}, trainer.DataSpec{})
	bit := base()
	bit["b.safetensors"][len(bit["b.safetensors"])-17] ^= 1
	differs("one bit", bit, trainer.DataSpec{})

	syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
	differs("synthetic", memory{}, trainer.DataSpec{Synthetic: &syn})
}

func TestFingerprintOfSynthetic(t *testing.T) {
	seen := map[string]int{}
	for i, change := range []func(s *trainer.Synthetic){
		func(s *trainer.Synthetic) {}, func(s *trainer.Synthetic) { s.ActivationDim++ }, func(s *trainer.Synthetic) { s.Directions++ },
		func(s *trainer.Synthetic) { s.Tokens++ }, func(s *trainer.Synthetic) { s.Active++ }, func(s *trainer.Synthetic) { s.Zipf++ },
		func(s *trainer.Synthetic) { s.Noise++ }, func(s *trainer.Synthetic) { s.Seed++ },
	} {
		syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
		change(&syn)
		seen[open(t, trainer.DataSpec{Synthetic: &syn}, Options{}).Info().Fingerprint] = i
	}
	if len(seen) != 8 {
		t.Errorf("%d fingerprints of 8 settings", len(seen))
	}
}

// A large shard is known by blocks of it, its first and last among them.
func TestFingerprintOfLargeShard(t *testing.T) {
	const dim, rows = 1024, 5 << 10 // 20 MiB
	path := filepath.Join(t.TempDir(), "a.npy")
	head := npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (5120, 1024)}", nil)
	if err := os.WriteFile(path, head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(head))+4*dim*rows); err != nil {
		t.Fatal(err)
	}
	print := func() string { return open(t, trainer.DataSpec{Source: path}, Options{}).Info().Fingerprint }
	last := print()
	poke := func(off int64) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(bytes.Repeat([]byte{1}, 4), int64(len(head))+off); err != nil {
			t.Fatal(err)
		}
	}
	for _, off := range []int64{0, 4*dim*rows - 4, blockBytes - 4, (4*dim*rows - blockBytes) / 255} {
		poke(off)
		if p := print(); p == last {
			t.Errorf("a change at byte %d is not seen", off)
		} else {
			last = p
		}
	}
}
