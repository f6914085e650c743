package ledger

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/topksweep/sweep/storage"
)

// The folder of a model holds the files of its run, and those of no other.
func TestModelFS(t *testing.T) {
	eachStore(t, func(t *testing.T, s storage.Store) {
		for name, body := range map[string]string{
			"abc/sae.safetensors": "weights", "abc/cfg.json": "{}", "abc/reference/ae.pt": "zip",
			"abc/reference-2": "", "abcd/cfg.json": "of another run",
		} {
			put(t, s, modelsPrefix+name, body)
		}
		f, err := New(s).ModelFS(t.Context(), "abc")
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(f, "sae.safetensors", "cfg.json", "reference/ae.pt", "reference-2"); err != nil {
			t.Error(err)
		}
		info, err := fs.Stat(f, "reference/ae.pt")
		if err != nil || info.Size() != 3 || info.IsDir() {
			t.Errorf("%v, %v", info, err)
		}
		entries, err := fs.ReadDir(f, ".")
		if err != nil || len(entries) != 4 {
			t.Errorf("%v, %v", entries, err)
		}
		for _, name := range []string{"abcd/cfg.json", "../abcd/cfg.json", "/cfg.json", "nothing", ""} {
			if b, err := fs.ReadFile(f, name); err == nil {
				t.Errorf("%q: %q", name, b)
			}
		}
	})
}

// A run without a model, an ID that is none, and a file that goes away are errors that say so.
func TestModelFSWithoutFiles(t *testing.T) {
	s, _ := openDir(t)
	put(t, s, ModelKey("abc", "cfg.json"), "{}")
	l := New(s)
	if _, err := l.ModelFS(t.Context(), "ab"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a run without a model: %v", err)
	}
	for _, run := range []string{"", "..", "a/../abc", "a b", strings.Repeat("a", 300)} {
		if _, err := l.ModelFS(t.Context(), run); !errors.Is(err, storage.ErrBadKey) {
			t.Errorf("run %q: %v", run, err)
		}
	}
	f, err := l.ModelFS(t.Context(), "abc")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), ModelKey("abc", "cfg.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open("cfg.json"); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// A file is read from its beginning, piece by piece.
func TestModelFSReadsStreams(t *testing.T) {
	s, _ := openDir(t)
	put(t, s, ModelKey("abc", "sae.safetensors"), "weights")
	f, err := New(s).ModelFS(t.Context(), "abc")
	if err != nil {
		t.Fatal(err)
	}
	file, err := f.Open("sae.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := make([]byte, 3)
	if _, err := io.ReadFull(file, b); err != nil || string(b) != "wei" {
		t.Errorf("%q, %v", b, err)
	}
	rest, err := io.ReadAll(file)
	if err != nil || string(rest) != "ghts" {
		t.Errorf("%q, %v", rest, err)
	}
}
