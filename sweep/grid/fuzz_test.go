package grid

import (
	"os"
	"strings"
	"testing"
)

// FuzzParse reads any bytes as a grid. Either there are errors with positions in the file, or there are valid cells.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"../plan/testdata/good", "testdata/bad"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".yaml") {
				src, err := os.ReadFile(dir + "/" + e.Name())
				if err != nil {
					f.Fatal(err)
				}
				f.Add(src)
			}
		}
	}
	opts := ParseOptions{MaxCells: 500, MaxBytes: 1 << 14}
	f.Fuzz(func(t *testing.T, src []byte) {
		g, err := Parse("grid.yaml", src, opts)
		if err != nil {
			checkErrors(t, src, err)
			return
		}
		cells, err := g.Cells(infosOf(g)...)
		if err != nil {
			checkErrors(t, src, err)
			return
		}
		if n := len(cells); n < 1 || n > opts.MaxCells {
			t.Errorf("%d cells", n)
		}
		seen, labels := map[string]bool{}, map[string]bool{}
		for _, c := range cells {
			if errs := c.Config.Validate(); len(errs) > 0 {
				t.Errorf("cell %s: %v", c.ID, errs)
			}
			if seen[c.ID] {
				t.Errorf("cell %s twice", c.ID)
			}
			seen[c.ID] = true
			if label := strings.Join(c.Values, " "); labels[label] {
				t.Errorf("two cells have the values %s", label)
			} else {
				labels[label] = true
			}
			if len(c.Values) != len(g.Varying()) {
				t.Errorf("cell %s has %d values for %d axes", c.ID, len(c.Values), len(g.Varying()))
			}
		}
	})
}
