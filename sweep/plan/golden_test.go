package plan

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares got with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: run go test with -update if this is intended\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

// testInfo stands for data that has been opened.
func testInfo() trainer.DataInfo {
	return trainer.DataInfo{
		Rows: 1_000_000, EvalRows: 65_536, Dim: 64, DType: "F32", Shards: 4, Bytes: 256_000_000,
		Scale: 1, MeanNorm: 8, Fingerprint: "f00d",
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	return paths
}

func testEstimates() Estimates {
	return Estimates{
		Bytes:   func(c trainer.Config) (int64, int64) { return 28 * c.Params(), 12 * c.Params() },
		Seconds: func(c trainer.Config) float64 { return float64(c.Tokens()) / 1e5 },
	}
}

// TestGood plans every grid of testdata/good.
func TestGood(t *testing.T) {
	for _, path := range files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			g, err := grid.Parse("grid.yaml", src, grid.ParseOptions{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := New(g, testInfo(), testEstimates())
			if err != nil {
				t.Fatal(err)
			}
			var text, json bytes.Buffer
			if err := p.WriteText(&text, false); err != nil {
				t.Fatal(err)
			}
			if err := p.WriteJSON(&json); err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(path, ".yaml")
			golden(t, base+".txt", text.Bytes())
			golden(t, base+".json", json.Bytes())
		})
	}
}
