package data

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Messages name the shard and the row in it that a batch or the held-out rows read.
func TestLocate(t *testing.T) {
	sizes := map[string]int{"a.safetensors": 17, "b.safetensors": 1, "c.safetensors": 40}
	files, first := memory{}, map[string]int{}
	n := 0
	for _, name := range []string{"a.safetensors", "b.safetensors", "c.safetensors"} {
		files[name], first[name] = tensorFile(t, 2, numbered(n, sizes[name], 2)), n
		n += sizes[name]
	}
	for _, maxNorm := range []string{"", "50"} { // rows have norms of up to 81
		t.Run(maxNorm, func(t *testing.T) {
			checkLocate(t, files.open(t, trainer.DataSpec{EvalTokens: 9, MaxNorm: maxNorm}), first)
		})
	}
}

func checkLocate(t *testing.T, s *Set, first map[string]int) {
	check := func(x []float32, place string) {
		t.Helper()
		for name, at := range first {
			if want := fmt.Sprintf("shard %s, row %d", name, int(x[0])-at); place == want {
				return
			}
		}
		t.Errorf("row %v is said to be at %s", x, place)
	}
	x, numbers := make([]float32, 2*30), make([]int64, 30)
	for step := range int64(5) {
		if err := s.Batch(3, step, x); err != nil {
			t.Fatal(err)
		}
		if err := s.BatchRows(3, step, numbers); err != nil {
			t.Fatal(err)
		}
		for i, row := range numbers {
			check(x[2*i:2*i+2], s.Locate(row))
		}
	}
	for row := range s.EvalRows() {
		if err := s.Eval(row, x[:2]); err != nil {
			t.Fatal(err)
		}
		check(x[:2], s.LocateEval(row))
	}
	synthetic := open(t, trainer.DataSpec{Synthetic: &trainer.Synthetic{
		ActivationDim: 3, Directions: 4, Tokens: 20, Active: 1, Seed: 1,
	}}, Options{})
	for _, place := range []string{synthetic.Locate(7), s.Locate(-1), s.Locate(1 << 40), s.LocateEval(9)} {
		if place == "" {
			t.Error("no place")
		}
	}
}
