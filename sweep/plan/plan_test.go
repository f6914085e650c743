package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// wide is a grid of 1,000 cells for each seed.
func wide(seeds int) []byte {
	count := func(n, from int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d, ", from+i)
		}
		return b.String()
	}
	return fmt.Appendf(nil, `
name: wide
data: {source: acts}
parameters:
  k: [%s]
  dict_size: [%s]
  seed: [%s]
  decay_start: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9]
`, count(10, 8), count(10, 1024), count(seeds, 0))
}

func BenchmarkPlan(b *testing.B) {
	src := wide(100)
	b.ReportAllocs()
	for b.Loop() {
		g, err := grid.Parse("grid.yaml", src, grid.ParseOptions{})
		if err != nil {
			b.Fatal(err)
		}
		p, err := New(g, goldentest.DataInfo(), testEstimates())
		if err != nil || len(p.Cells) != 100_000 {
			b.Fatal(len(p.Cells), err)
		}
	}
}

// TestWide plans as many cells as the limit allows.
func TestWide(t *testing.T) {
	if testing.Short() {
		t.Skip("a million cells")
	}
	g, err := grid.Parse("grid.yaml", wide(1000), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(g, goldentest.DataInfo(), testEstimates())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cells) != grid.MaxCells || p.StepsUnshared != grid.MaxCells*30_000 || p.Chunks() != 3907 {
		t.Errorf("%d cells, %d steps, %d chunks", len(p.Cells), p.StepsUnshared, p.Chunks())
	}
	_, err = grid.Parse("grid.yaml", wide(1001), grid.ParseOptions{})
	if err == nil || !strings.Contains(err.Error(), "1,001,000 cells") {
		t.Errorf("over the limit: %v", err)
	}
}

// planOf plans a grid on the data that testInfo describes.
func planOf(t *testing.T, src string, est Estimates) *Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(g, goldentest.DataInfo(), est)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const small = `
name: small
data: {source: acts}
parameters: {k: [8, 16], seed: [0, 1, 2]}
train: {steps: 10, batch_size: 32}
`

// Cells that have a result are not counted among what is to be trained, unless the
// sweep keeps its results apart.
func TestReused(t *testing.T) {
	all := planOf(t, small, Estimates{})
	done := func(id string) bool { return id == all.Cells[1].ID || id == all.Cells[4].ID }
	p := planOf(t, small, Estimates{Reused: done})
	if p.CellCount != 6 || p.Reused != 2 || p.Stages != 4 || p.StepsUnshared != 40 || p.StepsShared != 40 ||
		p.Tokens != 40*32 {
		t.Errorf("%+v", p.Totals)
	}
	if p.ID != all.ID {
		t.Errorf("ID %s depends on what has a result: %s", p.ID, all.ID)
	}
	p = planOf(t, small+"run: {reuse_results: false}\n", Estimates{Reused: done})
	if p.Reused != 0 || p.Stages != 6 {
		t.Errorf("reuse_results: false: %+v", p.Totals)
	}
}

// A plan's ID depends on its name, its cells in their order and its data, and on
// nothing else that a grid says.
func TestPlanID(t *testing.T) {
	id := planOf(t, small, Estimates{}).ID
	for _, c := range []struct {
		from, to string
		same     bool
	}{
		{"name: small", "name: other", false},
		{"seed: [0, 1, 2]", "seed: [0, 2, 1]", false},
		{"steps: 10", "steps: 11", false},
		{"steps: 10", "steps: 1e1, lr: auto", true}, // the same values, spelt otherwise
		{"seed: [0, 1, 2]", "seed: &s [0, 1, 2]", true},
		{"source: acts", "source: acts, lm_name: gpt2", true},
	} {
		got := planOf(t, strings.Replace(small, c.from, c.to, 1), Estimates{}).ID
		if (got == id) != c.same {
			t.Errorf("%s → %s: ID %s, was %s", c.from, c.to, got, id)
		}
	}
	g, err := grid.Parse("grid.yaml", []byte(small), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info := goldentest.DataInfo()
	info.Fingerprint = "beef"
	if p, err := New(g, info, Estimates{}); err != nil || p.ID == id {
		t.Errorf("other data: ID %s, %v", p.ID, err)
	}
}

// planText plans a grid and returns the plan as text.
func planText(t *testing.T, src string) string {
	t.Helper()
	var b strings.Builder
	if err := planOf(t, src, Estimates{}).WriteText(&b, true, 0); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Settings that differ never look equal in a plan.
func TestTextShowsSettingsInFull(t *testing.T) {
	text := planText(t, gridOf("lr: [0.0010000001, 0.0010000002, 1e-3], decay_start: [0.5, none]", "")+
		"run: {checkpoint: {every: 1500ms}}\n")
	for _, want := range []string{
		"0.0010000001  ", "0.0010000002  ", " 0.001 ", "  none\n", "every 1.5s,", "decay_start=none",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A plan warns of a k that keeps every latent, whether the grid gives it or it is the default.
func TestDenseWarning(t *testing.T) {
	const warning = "1 of 2 cells have a k as large as dict_size"
	for _, train := range []string{"k: 64", ""} {
		if text := planText(t, gridOf("dict_size: [64, 128]", train)); !strings.Contains(text, warning) {
			t.Errorf("no warning with train {%s}:\n%s", train, text)
		}
	}
}

// Cells that cannot be trained are an error that names the first of them and counts the others.
func TestUnsupportedCells(t *testing.T) {
	g, err := grid.Parse("grid.yaml", wide(1), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reason := errors.New("too small")
	asked := map[string]bool{}
	_, err = New(g, goldentest.DataInfo(), Estimates{Unsupported: func(run string, c trainer.Config) error {
		asked[run] = true
		if c.K == 9 {
			return reason
		}
		return nil
	}})
	var e *UnsupportedError
	if !errors.As(err, &e) || !errors.Is(err, reason) || e.Count != 100 || e.InAll != 1000 || len(asked) != 1000 {
		t.Fatalf("%d runs asked: %v", len(asked), err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2+maxUnsupported || lines[0] != "100 of 1000 cells cannot be trained:" ||
		lines[1] != "  k=9 dict_size=1024 decay_start=0.1: too small" || lines[1+maxUnsupported] != "  … and 50 more" {
		t.Errorf("%v", err)
	}
}
