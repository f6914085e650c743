package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden store was written by version 1. Every later version reads it.
const goldenFolder = "ab12-trunk"

var golden = storage.Manifest{
	Version: 1, Folder: goldenFolder, Attempt: 1, Step: 1200, Size: 11,
	Key:    "stages/ab12-trunk/data/000000001200-000001-b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
	SHA256: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
	Format: "state/1", Meta: map[string]string{"cell": "ab12", "loss": "0.25"},
}

func TestManifestGolden(t *testing.T) {
	r := newRig(t)
	c, err := storage.NewCheckpoints(r.store, goldenFolder, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Claim(t.Context(), storage.Holder{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Save(t.Context(), storage.Checkpoint{
		Step: golden.Step, Format: golden.Format, Meta: golden.Meta, Body: strings.NewReader("hello world"), Size: 11,
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.Build == "" {
		t.Error("no build")
	}
	m.Build = ""
	if !reflect.DeepEqual(m, &golden) {
		t.Errorf("saved\n%+v\nwant\n%+v", m, golden)
	}
	for _, key := range r.keys() {
		body := []byte(r.get(key))
		if strings.Contains(key, "/manifests/") {
			var v map[string]any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			body = bytes.Replace(body, []byte(`"build": `+quote(v["build"])), []byte(`"build": "golden"`), 1)
		}
		path := filepath.Join("testdata", "v1", filepath.FromSlash(key))
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, want) {
			t.Errorf("%s holds\n%s\nwant\n%s", key, body, want)
		}
	}
}

// Every version restores what earlier versions wrote.
func TestPastVersions(t *testing.T) {
	versions, err := filepath.Glob(filepath.Join("testdata", "v*"))
	if err != nil || len(versions) != storage.ManifestVersion {
		t.Fatalf("%d golden stores, %v, want %d", len(versions), err, storage.ManifestVersion)
	}
	for _, version := range versions {
		t.Run(filepath.Base(version), func(t *testing.T) {
			r := newRig(t)
			if err := fs.WalkDir(os.DirFS(version), ".", func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(filepath.Join(version, path))
				r.put(path, string(b))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			c, err := storage.NewCheckpoints(r.store, goldenFolder, nil)
			if err != nil {
				t.Fatal(err)
			}
			var body []byte
			m, err := c.RestoreAtMost(t.Context(), math.MaxInt64, func(_ *storage.Manifest, rd io.Reader) (err error) {
				body, err = io.ReadAll(rd)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if m.Step != golden.Step || m.Format != golden.Format || !maps.Equal(m.Meta, golden.Meta) ||
				string(body) != "hello world" {
				t.Errorf("restored %+v with %q, want %+v", m, body, golden)
			}
			if l, err := c.Claim(t.Context(), storage.Holder{}); err != nil || l.Attempt() != 2 {
				t.Errorf("claim %v, %v, want attempt 2", l, err)
			}
		})
	}
}

func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestParseManifest(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{
			"version": 1, "stage": golden.Folder, "attempt": 1, "step": 1200, "key": golden.Key, "size": 11,
			"sha256": golden.SHA256, "format": "state/1", "build": "golden",
		}
	}
	tests := []struct {
		name, field string
		value       any
		want        error
	}{
		{"good", "meta", map[string]string{"a": "b"}, nil},
		{"version 0", "version", 0, storage.ErrCorrupt},
		{"version 2", "version", 2, storage.ErrNewerVersion},
		{"version in words", "version", "one", storage.ErrCorrupt},
		{"unknown field", "compressed", true, storage.ErrCorrupt},
		{"no attempt", "attempt", 0, storage.ErrCorrupt},
		{"negative step", "step", -1, storage.ErrCorrupt},
		{"fractional step", "step", 1.5, storage.ErrCorrupt},
		{"negative size", "size", -1, storage.ErrCorrupt},
		{"folder outside", "stage", "../x", storage.ErrCorrupt},
		{"other folder", "stage", "x", storage.ErrCorrupt},
		{"other step", "step", 1201, storage.ErrCorrupt},
		{"key outside", "key", "../../etc/passwd", storage.ErrCorrupt},
		{"key of another folder", "key", strings.Replace(golden.Key, "ab12", "ab13", 1), storage.ErrCorrupt},
		{"short hash", "sha256", golden.SHA256[:62], storage.ErrCorrupt},
		{"upper-case hash", "sha256", strings.ToUpper(golden.SHA256), storage.ErrCorrupt},
		{"null", "key", nil, storage.ErrCorrupt},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := good()
			v[test.field] = test.value
			m, err := storage.ParseManifest([]byte(quote(v)))
			if !errors.Is(err, test.want) || (m == nil) != (err != nil) {
				t.Errorf("%v, %v, want %v", m, err, test.want)
			}
		})
	}
	whole := quote(good())
	for _, text := range []string{"", "{", "null", "[]", "1", whole[:80], whole + "x", whole + "{}"} {
		if _, err := storage.ParseManifest([]byte(text)); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%q: %v, want ErrCorrupt", text, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	b, err := os.ReadFile(filepath.Join("testdata", "v1", "stages", goldenFolder, "manifests", "000000001200-000001.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version": 2}`))
	f.Add([]byte(`{"version": 1, "size": 9223372036854775807, "step": -0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := storage.ParseManifest(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+256*uint64(len(b)) {
			t.Fatalf("%d bytes allocated for a manifest of %d", n, len(b))
		}
		if err != nil {
			if m != nil || !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, storage.ErrNewerVersion) {
				t.Errorf("%v, %v", m, err)
			}
			return
		}
		// What passes is whole: its key is a key, and it reads as it is written.
		if err := storage.CheckKey(m.Key); err != nil {
			t.Error(err)
		}
		second, err := storage.ParseManifest([]byte(quote(m)))
		if err != nil || second.Key != m.Key || second.Size != m.Size {
			t.Errorf("%+v, %v, want %+v", second, err, m)
		}
	})
}

func TestCheckKey(t *testing.T) {
	for _, key := range []string{"a", "a/b", "...", "a.b/_c/-", strings.Repeat("a", 200)} {
		if err := storage.CheckKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for key, why := range map[string]string{
		"":                              "bad key: empty element",
		"a//b":                          "bad key: empty element",
		"a/../b":                        `bad key: element ".."`,
		"a b":                           "bad key: character ' '",
		strings.Repeat("a", 201):        "bad key: element of 201 bytes, of at most 200",
		strings.Repeat("a/", 350) + "b": "bad key: 701 bytes, of at most 700",
	} {
		if err := storage.CheckKey(key); err == nil || err.Error() != why {
			t.Errorf("%.20q: %v, want %s", key, err, why)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("connection refused")
	err := storage.Wrap("put", "ckpt/ab12", storage.Mark(cause, storage.ErrNoSpace))
	err = storage.Wrap("put", "ckpt/ab12", err) // has operation and key already
	if err.Error() != "put ckpt/ab12: connection refused" || !errors.Is(err, cause) ||
		!errors.Is(err, storage.ErrNoSpace) {
		t.Errorf("%v", err)
	}
	if storage.Wrap("get", "x", nil) != nil || storage.Mark(nil, cause) != nil {
		t.Error("no error became one")
	}
}
