package figures

import (
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/table"
)

// Figures of one panel have one for each data set, on the same axes. Others are one for each data set.
func TestFacets(t *testing.T) {
	small, curves := planted([]int64{16, 32}, []int64{1024, 2048, 4096})
	large, _ := planted([]int64{32, 64}, []int64{1024, 2048, 4096})
	s := Facets([]NamedSet{
		{"l3", mustMake(t, small, curves)}, {"l6", mustMake(t, large, table.Table{})},
	})
	byName := map[string]Figure{}
	for _, f := range s.Figures {
		byName[f.Name] = f
		if _, err := f.Write(SVG, 8); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	f := byName["nmse-by-k"]
	if len(f.panels) != 2 || f.panels[0].title != "data l3" || f.panels[1].title != "data l6" {
		t.Fatalf("panels of %+v", f)
	}
	var marks []float64
	for _, m := range f.panels[0].x.marks {
		marks = append(marks, m.value)
	}
	x := f.panels[1].x
	if !slices.Equal(marks, []float64{16, 32, 64}) || !(x.min < 16) || !(x.max > 64) || x.min != f.panels[0].x.min {
		t.Errorf("marks %v from %v to %v", marks, x.min, x.max)
	}
	// Legends of k differ, so that one figure cannot have both.
	for _, name := range []string{"nmse-by-dict-size-l3", "nmse-by-dict-size-l6", "dead-latents-l3", "curves-l3"} {
		if of, ok := byName[name]; !ok || !strings.Contains(of.Title, name[len(name)-2:]) {
			t.Errorf("no %s among %v", name, len(s.Figures))
		}
	}
	if !slices.ContainsFunc(s.LeftOut, func(l LeftOut) bool { return l.Name == "curves-l6" }) {
		t.Errorf("left out: %v", s.LeftOut)
	}
	if got := f.caption(); !strings.Contains(got, "Rings: all runs.") || strings.Count(got, "Rings") != 1 {
		t.Errorf("notes %v", f.Notes)
	}
}
