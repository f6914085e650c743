package grid

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestFraction(t *testing.T) {
	s := newSchema()
	f := s.fields[s.index["decay_start"]]
	for _, c := range []struct {
		text string
		kind valueKind
		want any // nil: an error
	}{
		{"0.8", fraction, 0.8}, {".8", fraction, 0.8}, {"8e-1", fraction, 0.8}, {"0.0", fraction, 0.0}, {"0.", fraction, 0.0},
		{"0", given, int64(0)}, {"800", given, int64(800)}, {"8e2", given, int64(800)},
		{"8.5e2", given, int64(850)}, {"1_000", given, int64(1000)},
		{"1.0", given, nil}, {"800.0", given, nil}, {"-0.1", given, nil}, {"1.5", given, nil},
		{"-1", given, nil}, {".nan", given, nil}, {"auto", given, nil},
	} {
		v, err := readValue(f, &node{kind: scalarNode, text: c.text})
		if c.want == nil {
			if err == nil {
				t.Errorf("%q: no error", c.text)
			}
			continue
		}
		if err != nil || v.kind != c.kind || v.v != c.want {
			t.Errorf("%q: %+v, %v", c.text, v, err)
		}
	}
}

// TestFractionOfSteps resolves fractions for each cell. Half a step is rounded up.
func TestFractionOfSteps(t *testing.T) {
	var got []int
	src := "name: a\ndata: {source: acts}\nparameters: {steps: [5, 10, 333], decay_start: [0.5, 0.8]}\n"
	for _, c := range mustCells(t, src) {
		got = append(got, c.Config.DecayStart)
	}
	if want := []int{3, 4, 5, 8, 167, 266}; !slices.Equal(got, want) {
		t.Errorf("decay_start %v, want %v", got, want)
	}
}

// TestDefaults compares a grid that sets nothing with the defaults of trainer.
func TestDefaults(t *testing.T) {
	src := "name: a\ndata: {source: acts}\nparameters: {}\n"
	cells := mustCells(t, src)
	want := trainer.Config{
		Recipe: "corrected", ActivationDim: 64, DictSize: 32768, K: 100, AuxKAlpha: 1. / 32, KAux: 32,
		DecayStart: 24000, Steps: 30000, BatchSize: 2048, LR: 2e-4 / math.Sqrt2, ThresholdStartStep: 1000,
		ThresholdBeta: .999, DeadFeatureThreshold: 10_000_000, Precision: "f32",
	}
	if got := cells[0].Config; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g.Run, DefaultRunOptions()) {
		t.Errorf("run %+v", g.Run)
	}
}
