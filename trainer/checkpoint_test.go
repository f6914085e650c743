package trainer_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestCheckpointReadAt(t *testing.T) {
	c := config(t, nil)
	b, err := trainer.Encode(c, trainer.Init(c))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil || int64(len(whole)) != b.Size() {
		t.Fatalf("%d of %d bytes: %v", len(whole), b.Size(), err)
	}
	for off := int64(0); off < b.Size(); off += 97 {
		for _, n := range []int{1, 3, 8, 101, 5000} {
			p := make([]byte, n)
			got, err := b.ReadAt(p, off)
			want := whole[off:min(off+int64(n), b.Size())]
			if !bytes.Equal(p[:got], want) || (err != nil) != (len(want) < n) || err != nil && err != io.EOF {
				t.Fatalf("ReadAt(%d bytes, %d) = %d, %v", n, off, got, err)
			}
		}
	}
}

// A checkpoint of the first version of the format must load for ever.
func TestCheckpointGolden(t *testing.T) {
	c := config(t, nil)
	file := filepath.Join("testdata", "checkpoint-v1.safetensors")
	now := train(t, c, trainer.Init(c), 12)
	if *update {
		if err := os.WriteFile(file, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := decode(t, c, golden)
	if s.Step != 12 || len(s.Curve) != 12 || len(s.SinceFired) != c.DictSize || s.Threshold != -1 {
		t.Errorf("step %d, %d curve points, threshold %v", s.Step, len(s.Curve), s.Threshold)
	}
	if !bytes.Equal(encode(t, c, s), golden) {
		t.Error("encoding what was decoded gives other bytes")
	}
}

// docs/checkpoints.md specifies what a checkpoint holds.
func TestCheckpointIsSpecified(t *testing.T) {
	spec, err := os.ReadFile(filepath.Join("..", "docs", "checkpoints.md"))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "checkpoint-v1.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := safetensors.ReadHeader(bytes.NewReader(golden), int64(len(golden)))
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Collect(maps.Keys(h.Metadata))
	for _, x := range h.Tensors {
		prefix, name, ok := strings.Cut(x.Name, ".")
		if ok {
			names = append(names, prefix+".", name)
		} else {
			names = append(names, x.Name)
		}
	}
	for _, name := range names {
		if !bytes.Contains(spec, []byte("`"+name+"`")) {
			t.Errorf("docs/checkpoints.md has no `%s`", name)
		}
	}
	if !bytes.Contains(spec, fmt.Appendf(nil, "## Training state, version %d\n", trainer.FormatVersion)) {
		t.Errorf("docs/checkpoints.md does not specify version %d", trainer.FormatVersion)
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := config(t, nil)
	good := encode(t, c, trainer.Init(c))
	swap := func(old, new string) []byte { return bytes.Replace(bytes.Clone(good), []byte(old), []byte(new), 1) }
	wide := c
	wide.DictSize++
	for name, x := range map[string]struct {
		b    []byte
		c    trainer.Config
		want string
	}{
		"future version": {swap(`"sweep.checkpoint":"1"`, `"sweep.checkpoint":"9"`), c, "format version 9"},
		"no version":     {swap(`"sweep.checkpoint"`, `"sweep.checkpoinT"`), c, "no sweep.checkpoint"},
		"bad step":       {swap(`"step":"0"`, `"step":"x"`), c, "step"},
		"other shape":    {good, wide, "want"},
		"other tensor":   {swap(`"exp_avg.b_dec"`, `"exp_avg.b_dex"`), c, "unknown tensor"},
		"truncated":      {good[:len(good)-1], c, "truncated"},
		"empty":          {nil, c, "too few"},
	} {
		s := trainer.NewState(x.c)
		err := trainer.Decode(bytes.NewReader(x.b), int64(len(x.b)), x.c, s)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %q", name, err, x.want)
		}
		if !errors.Is(err, trainer.ErrFormat) {
			t.Errorf("%s: not an ErrFormat", name)
		}
	}
}

// A read that fails in the middle of a checkpoint keeps its kind, wherever it fails. It is
// not an error about the checkpoint's content.
func TestDecodeKeepsReadErrors(t *testing.T) {
	c := config(t, func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.K = 2, 3, 1 })
	good := encode(t, c, trainer.Init(c))
	for _, cause := range []error{syscall.EIO, syscall.ESTALE, context.DeadlineExceeded, io.ErrUnexpectedEOF} {
		for n := range good {
			r := io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(cause))
			err := trainer.Decode(r, int64(len(good)), c, trainer.NewState(c))
			if !errors.Is(err, cause) || errors.Is(err, trainer.ErrFormat) {
				t.Fatalf("%v after %d bytes: %v", cause, n, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	t := &testing.T{}
	c := config(t, func(c *trainer.Config) { c.ActivationDim, c.DictSize, c.K = 2, 3, 1 })
	b, _ := trainer.Encode(c, trainer.Init(c))
	seed, _ := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := trainer.NewState(c)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := trainer.Decode(bytes.NewReader(data), int64(len(data)), c, s)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+256*uint64(len(data)) {
			t.Fatalf("%d bytes allocated for a checkpoint of %d", n, len(data))
		}
		if err == nil {
			encode(t, c, s)
		}
	})
}
