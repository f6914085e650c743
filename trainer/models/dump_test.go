package models

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Temporary.
func TestDump(t *testing.T) {
	dir := os.Getenv("DUMP")
	if dir == "" {
		t.Skip()
	}
	layer, yes := 5, true
	th := 0.25
	m := small(16, 64, 5)
	m.Names.LMName, m.Names.Layer, m.Names.SubmoduleName, m.Names.ContextLength = "EleutherAI/pythia-70m", &layer, "resid_post", 128
	m.Names.PrependBOS = &yes
	m.Names.ModulePath = "layers.5"
	m.Threshold = &th
	m.Scale = 2
	m.fact("nmse | x", "0.1 <b> a_b `x`")
	for i := range 2 {
		if i == 1 {
			m.Names.LMName, m.Names.Layer, m.Threshold = "", nil, nil
		}
		files, err := Files(m, Formats()...)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			p := filepath.Join(dir, []string{"a", "b"}[i], f.Name)
			os.MkdirAll(filepath.Dir(p), 0o777)
			b, _ := io.ReadAll(io.NewSectionReader(f.Body, 0, f.Size))
			if err := os.WriteFile(p, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}
