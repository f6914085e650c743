package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// What is no shard is refused with what lies there and two lines of Python that make a shard of it.
func TestConversions(t *testing.T) {
	for name, want := range map[string]string{
		"a.pt": "torch.load(", "a.pth": "torch.load(", "a.bin": "torch.load(", "a.npz": "max(z.values()",
		"a.NPY":         "os.rename(",
		"a.SAFETENSORS": "os.rename(", "a.h5": "h5py.File(",
		"a.csv": "numpy.loadtxt(", "a.dat": "numpy.memmap(", "a.memmap": "numpy.memmap(", "a.npy.gz": "gzip.open(",
		"a.npy.zst": "zstandard.open(", "a.pkl": "pickle.load(", "a.mat": "numpy.save(",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, source := range []string{file, dir, filepath.Join(dir, "*")} {
			_, err := Open(t.Context(), trainer.DataSpec{Source: source}, Options{})
			if err == nil {
				t.Errorf("%s opens", source)
				continue
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != 3 || !strings.Contains(lines[0], name+" of 5 bytes") || !strings.Contains(lines[0], "in Python:") ||
				!strings.Contains(lines[1]+lines[2], want) || !strings.Contains(lines[1]+lines[2], filepath.Join(dir, "a")) {
				t.Errorf("%s: %v\n\twant %q", source, err, want)
			}
		}
	}
}

// A source in which nothing is like activations says what lies there.
func TestNothingThere(t *testing.T) {
	empty, others := t.TempDir(), t.TempDir()
	for _, name := range []string{"README.md", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(others, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shard := filepath.Join(t.TempDir(), "a.npy")
	if err := os.WriteFile(shard, npyOf(t, 0, 100, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		empty: "no file lies there", others: "2 other files: README.md, notes.txt",
		filepath.Join(others, "*"):       "2 other files: README.md, notes.txt",
		filepath.Join(empty, "*.npy"):    "matches no " + endings(false, "or") + " file",
		shard + string(os.PathSeparator): "is a file, not a folder: leave out the " + string(os.PathSeparator),
	} {
		if _, err := Open(t.Context(), trainer.DataSpec{Source: source}, Options{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}

// A shard of another shape, dtype or order, or with several tensors, is refused with lines that write it again.
func TestRewrites(t *testing.T) {
	for name, x := range badShards(t) {
		_, err := openFrom(t.Context(), memory{name: x.file}, trainer.DataSpec{Source: "memory"}, Options{})
		var want string
		switch name {
		case "vector.npy", "fortran.npy", "int.npy", "big.npy", "void.npy":
			want = "\n  import numpy; x = numpy.load(\"" + name + "\")\n  numpy.save(\"" + name + "\", "
		case "several.safetensors":
			want = "load_file(\"several.safetensors\"); x = t.pop(\"resid\")"
		case "vector.safetensors", "f8.safetensors", "int.safetensors":
			want = "x = t.pop(\"activations\")\n  x = x.reshape(-1, x.shape[-1]); save_file({**t, \"activations\": "
		case "none.safetensors":
			want = "x = t.pop(\"ids\")"
		}
		if has := strings.Contains(err.Error(), "in Python:"); has != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\n\twant %q", name, err, want)
		}
	}
}

// The lines for a table's file are about the column that is asked for. Without one to be sure of there are none.
func TestLinesNameTheColumn(t *testing.T) {
	for _, tt := range []struct{ source, tensor, want string }{
		{"refused-two", "l5", `c = "l5"; x = numpy.stack(`},
		{"refused-compressed", "", `c = "acts"; x = numpy.stack(`},
		{"refused-two", "", ""},
		{"refused-two", "l7", ""},
	} {
		spec := trainer.DataSpec{Source: filepath.Join("testdata/formats", tt.source), Tensor: tt.tensor}
		_, err := Open(t.Context(), spec, Options{Cache: t.TempDir()})
		if err == nil {
			t.Fatalf("%+v is read", tt)
		}
		if strings.Contains(err.Error(), "in Python") != (tt.want != "") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
