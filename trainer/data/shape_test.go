package data

import (
	"errors"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// An array with rows and columns exchanged is not trained on.
func TestTransposed(t *testing.T) {
	tensor := func(first, rows, dim int) []byte { return tensorFile(t, dim, numbered(first, rows, dim)) }
	for name, tt := range map[string]struct {
		files memory
		want  []string // parts of the error
		note  string   // part of a note
	}{
		"one": {memory{"a.npy": npyOf(t, 0, 4, 100)},
			[]string{"data acts: its shape is [4, 100]", "rows are tokens", "ascontiguousarray(x.T)"}, ""},
		"one less": {memory{"a.npy": npyOf(t, 0, 99, 100)}, []string{"its shape is [99, 100]"}, ""},
		"square":   {memory{"a.npy": npyOf(t, 0, 100, 100)}, nil, ""},
		"several": {memory{"a.npy": npyOf(t, 0, 4, 100), "b.safetensors": tensor(9, 5, 100)},
			[]string{"the shape of its 2 shards together is [9, 100]"}, ""},
		"enough in all": {memory{"a.npy": npyOf(t, 0, 60, 100), "b.npy": npyOf(t, 70, 60, 100)}, nil,
			"No shard has as many rows as columns; the shape of a.npy is [60, 100]: rows are tokens"},
		"enough in one": {memory{"a.npy": npyOf(t, 0, 60, 100), "b.npy": npyOf(t, 70, 100, 100)}, nil, ""},
		"second": {memory{"a.npy": npyOf(t, 0, 100, 4), "b.npy": npyOf(t, 200, 4, 90)},
			[]string{"shard b.npy: its rows have 90", "; b.npy looks transposed (b.npy is [4, 90], a.npy is [100, 4])"}, ""},
		"first": {memory{"a.npy": npyOf(t, 0, 4, 90), "b.npy": npyOf(t, 200, 100, 4)},
			[]string{"shard b.npy: its rows have 4", "; a.npy looks transposed (b.npy is [100, 4], a.npy is [4, 90])"}, ""},
		"either": {memory{"a.npy": npyOf(t, 0, 4, 90), "b.npy": npyOf(t, 200, 90, 4)},
			[]string{"one of the two looks transposed"}, ""},
	} {
		s, err := openShards(t.Context(), tt.files, "acts", form{}, 1, false)
		if tt.want != nil {
			if !errors.Is(err, ErrBad) {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v\n\tdoes not say %q", name, err, want)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if notes := strings.Join(s.notes, "\n"); (tt.note == "") != (notes == "") || !strings.Contains(notes, tt.note) {
			t.Errorf("%s: notes %q, want %q", name, notes, tt.note)
		}
	}
	// Widths that differ for another reason are not called transposed.
	m := memory{"a.npy": npyOf(t, 0, 100, 4), "b.npy": npyOf(t, 0, 100, 8)}
	_, err := openShards(t.Context(), m, "acts", form{}, 1, false)
	if err == nil || strings.Contains(err.Error(), "transposed") {
		t.Error(err)
	}
	// Synthetic data are what they are asked to be.
	few := trainer.Synthetic{ActivationDim: 64, Directions: 8, Tokens: 20, Active: 2}
	open(t, trainer.DataSpec{Synthetic: &few}, Options{})
}
