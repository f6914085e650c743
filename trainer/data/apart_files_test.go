package data

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// What reading all bytes of both has found is kept, and asked for again where either changes.
func TestEvalSourceCache(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for name, files := range two(t) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, b := range files {
			path := write(t, filepath.Join(dir, name), file, b)
			if err := os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	spec := trainer.DataSpec{Source: filepath.Join(dir, "train"), EvalSource: filepath.Join(dir, "eval"), MaxNorm: "4000"}
	later := func() time.Time { return time.Now().Add(time.Hour) } // a change an hour ago is no fresh one
	look := func() (info trainer.DataInfo, bytes int64) {
		s := open(t, spec, Options{Cache: cache, clock: later, Progress: func(done, total int64) {
			if done == total {
				bytes += total
			}
		}})
		return s.Info(), bytes
	}
	first, read := look()
	if read != 2*130*16 { // each for max_norm, and for the fingerprint
		t.Errorf("%d bytes are read at first", read)
	}
	again, read := look()
	if again.Fingerprint != first.Fingerprint || again.LeftOut != first.LeftOut || read != 0 {
		t.Errorf("%d bytes are read again; %+v, want %+v", read, again, first)
	}
	b := two(t)["eval"]["a.safetensors"]
	b[len(b)-2] ^= 1
	path := write(t, spec.EvalSource, "a.safetensors", b)
	if err := os.Chtimes(path, time.Now(), time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	changed, read := look()
	if changed.Fingerprint == first.Fingerprint || read != 2*30*16+100*16 {
		t.Errorf("%d bytes are read after a change; %s, before %s", read, changed.Fingerprint, first.Fingerprint)
	}
}

// Files of eval_source that are written to while the set is open are noticed as those of the source are.
func TestEvalSourceVerify(t *testing.T) {
	dir := t.TempDir()
	path := func(source string) string { return filepath.Join(dir, source) }
	put := func(source, file string, b []byte, age time.Duration) {
		t.Helper()
		name := write(t, path(source), file, b)
		if err := os.Chtimes(name, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for name, files := range two(t) {
		if err := os.Mkdir(path(name), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, b := range files {
			put(name, file, b, time.Hour)
		}
	}
	s := open(t, trainer.DataSpec{Source: path("train"), EvalSource: path("eval")}, Options{})
	since := s.Generation()
	if err := s.Verify(t.Context(), since); err != nil {
		t.Fatal(err)
	}
	for i, source := range []string{"eval", "train", "eval"} { // the same rows, written anew
		put(source, "a.safetensors", two(t)[source]["a.safetensors"], time.Duration(i+1)*time.Minute)
		if err := s.Verify(t.Context(), since); !errors.Is(err, ErrTouched) {
			t.Fatalf("%s was touched: %v", source, err)
		}
		if s.Generation() == since {
			t.Fatalf("%s was touched: the generation stays %d", source, since)
		}
		since = s.Generation()
		if err := s.Verify(t.Context(), since); err != nil {
			t.Fatalf("after %s was touched: %v", source, err)
		}
	}
	if err := os.Rename(path("eval"), path("away")); err != nil {
		t.Fatal(err)
	}
	var failed *ReadError
	if err := s.Verify(t.Context(), since); !errors.As(err, &failed) || errors.Is(err, ErrBad) {
		t.Errorf("eval_source is away: %v", err)
	}
	if err := os.Rename(path("away"), path("eval")); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), since); err != nil {
		t.Errorf("eval_source is back: %v", err)
	}
	b := two(t)["eval"]["b.safetensors"]
	b[len(b)-2] ^= 1
	put("eval", "b.safetensors", b, time.Second)
	for range 2 { // it stays so
		err := s.Verify(t.Context(), since)
		if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), filepath.Join(path("eval"), "b.safetensors")) {
			t.Errorf("a held-out row changed: %v", err)
		}
	}
}
