package data

import (
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The rows of a batch are those that BatchRows names, past the end of an epoch
// too.
func TestBatchRowsAreTheBatch(t *testing.T) {
	s, err := Open(t.Context(), trainer.DataSpec{
		Synthetic:  &trainer.Synthetic{ActivationDim: 6, Directions: 12, Tokens: 100, Active: 3, Noise: 0.1, Seed: 4},
		EvalTokens: 11, Normalize: "mean_square",
	}, Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := make([]float32, s.Rows()*6)
	if err := readRows(s, 0, all); err != nil {
		t.Fatal(err)
	}
	batch, rows := make([]float32, 40*6), make([]int64, 40)
	for step := range int64(5) {
		if err := s.Batch(3, step, batch); err != nil {
			t.Fatal(err)
		}
		if err := s.BatchRows(3, step, rows); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if !slices.Equal(batch[i*6:(i+1)*6], all[row*6:(row+1)*6]) {
				t.Fatalf("step %d: row %d is not row %d of the data set", step, i, row)
			}
		}
	}
	if err := readRows(s, 90, all[:11*6]); err == nil {
		t.Error("rows past the end are read")
	}
	if err := s.BatchRows(3, -1, rows); err == nil {
		t.Error("a negative step has rows")
	}
}
