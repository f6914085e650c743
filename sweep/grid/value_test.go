package grid

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestInteger(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		err  string
	}{
		{"0", 0, ""}, {"-3", -3, ""}, {"+3", 3, ""}, {"10_000_000", 10_000_000, ""}, {"1e7", 10_000_000, ""}, {"1.5E3", 1500, ""},
		{"9223372036854775807", math.MaxInt64, ""}, {"9007199254740993", 9007199254740993, ""}, {"16.0", 16, ""},
		{"9223372036854775808", 0, "too large"}, {"1e16", 0, "too large"}, {"1e400", 0, "not a finite"},
		{"1.5", 0, "not a whole"}, {"1e-1", 0, "not a whole"}, {"010", 0, "leading zero: write 10"}, {"-007", 0, "leading zero"},
		{"", 0, "not a number"}, {"0x10", 0, "not a number"}, {"1__0", 0, "not a number"}, {"_1", 0, "not a number"}, {"1_", 0, "not a number"},
		{"1e", 0, "not a number"}, {"1,000", 0, "not a number"}, {"--1", 0, "not a number"}, {"ten", 0, "not a number"}, {"1_e3", 0, "not a number"},
		{".inf", 0, "not a finite"}, {"NaN", 0, "not a finite"}, {"-Infinity", 0, "not a finite"},
	} {
		got, err := integer(c.text)
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %d, %v; want %d, %q", c.text, got, err, c.want, c.err)
		}
	}
}

func TestFraction(t *testing.T) {
	s := newSchema()
	f := s.fields[s.index["decay_start"]]
	for _, c := range []struct {
		text     string
		fraction bool
		want     any
	}{
		{"0.8", true, 0.8}, {".8", true, 0.8}, {"8e-1", true, 0.8}, {"0.0", true, 0.0}, {"0.", true, 0.0},
		{"0", false, int64(0)}, {"800", false, int64(800)}, {"8e2", false, int64(800)}, {"8.5e2", false, int64(850)}, {"1_000", false, int64(1000)},
		{"1.0", false, nil}, {"800.0", false, nil}, {"-0.1", false, nil}, {"1.5", false, nil}, {"-1", false, nil}, {".nan", false, nil}, {"auto", false, nil},
	} {
		v, err := readValue(f, &node{kind: scalar, text: c.text})
		if c.want == nil {
			if err == nil {
				t.Errorf("%q: no error", c.text)
			}
			continue
		}
		if err != nil || v.fraction != c.fraction || v.v != c.want {
			t.Errorf("%q: %+v, %v", c.text, v, err)
		}
	}
}

// TestFractionOfSteps resolves fractions for each cell, half a step rounded up.
func TestFractionOfSteps(t *testing.T) {
	var got []int
	for _, c := range mustCells(t, "name: a\ndata: {source: acts}\nparameters: {steps: [5, 10, 333], decay_start: [0.5, 0.8]}\n") {
		got = append(got, c.Config.DecayStart)
	}
	if want := []int{3, 4, 5, 8, 167, 266}; !slices.Equal(got, want) {
		t.Errorf("decay_start %v, want %v", got, want)
	}
}

// TestDefaults holds an empty setting against the defaults of trainer.
func TestDefaults(t *testing.T) {
	src := "name: a\ndata: {source: acts}\nparameters: {}\n"
	cells := mustCells(t, src)
	want := trainer.Config{
		Recipe: "corrected", ActivationDim: 64, DictSize: 32768, K: 100, AuxKAlpha: 1. / 32, KAux: 32, DecayStart: 24000, Steps: 30000,
		BatchSize: 2048, LR: 2e-4 / math.Sqrt2, ThresholdStartStep: 1000, ThresholdBeta: .999, DeadFeatureThreshold: 10_000_000, Precision: "f32",
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

// TestFreeFields holds freeFields against Validate: changing one of them within
// its own bounds never changes what the rest is told.
func TestFreeFields(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newSchema()
	random := func(f trainer.Field) any {
		for {
			var v any
			switch f.Kind {
			case trainer.Word:
				v = f.Words[r.IntN(len(f.Words))]
			case trainer.Float:
				v = math.Pow(10, 8*r.Float64()-6) * float64(r.IntN(2))
			default:
				v = int64(math.Pow(10, 9*r.Float64())) * int64(r.IntN(2))
			}
			if f.Check(v) == nil {
				return v
			}
		}
	}
	wrong := 0
	for range 3000 {
		var c trainer.Config
		for _, f := range s.fields {
			f.Set(&c, random(f))
		}
		for _, key := range freeFields() {
			i, ok := s.index[key]
			if !ok {
				t.Fatalf("%s is not a field", key)
			}
			changed := c
			s.fields[i].Set(&changed, random(s.fields[i]))
			was, is := c.Validate(), changed.Validate()
			if !reflect.DeepEqual(was, is) {
				t.Fatalf("%s: %v became %v: it is not free", key, was, is)
			}
			wrong += len(was)
		}
	}
	if wrong == 0 {
		t.Error("no setting broke a rule: the test shows nothing")
	}
}

// TestRivals holds the table of other tools' words to its word: each leads to
// keys that there are, and none stands twice.
func TestRivals(t *testing.T) {
	known := map[string]bool{}
	for _, pl := range places() {
		known[pl.key] = true
	}
	known["activation_dim"] = true
	for word, a := range rivals() {
		for _, k := range a.keys {
			if !known[k] {
				t.Errorf("%s leads to %s, which is not a key", word, k)
			}
		}
	}
	seen := map[string]string{}
	for _, table := range [][][2]string{synonyms(), remarks()} {
		for _, row := range table {
			for word := range strings.FieldsSeq(row[1]) {
				if before, ok := seen[normal(word)]; ok && row[0] != theWidth {
					t.Errorf("%s stands for %q and %q", word, before, row[0])
				}
				seen[normal(word)] = row[0]
			}
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"k", "lr", "dict_size", "decay_start", "batch_size", "steps"}
	for word, want := range map[string]string{
		"dict_szie": "dict_size", "dictsize": "dict_size", "step": "steps", "lrr": "lr", "K": "k", "d": "", "zebra": "", "decaystart": "decay_start", "kk": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func TestErrorsAs(t *testing.T) {
	_, err := Parse("grid.yaml", []byte("name: a\n"), ParseOptions{})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 2 {
		t.Fatalf("%v", err)
	}
	want := Error{File: "grid.yaml", Line: 1, Column: 1, Path: "data", Msg: "missing: it says what to train on, a source or synthetic"}
	if errs[0] != want {
		t.Errorf("%+v", errs[0])
	}
}

func TestLimits(t *testing.T) {
	src := []byte("name: a\ndata: {source: acts}\nparameters: {k: [8, 16], seed: [1, 2]}\n")
	for _, c := range []struct {
		opts ParseOptions
		err  string
	}{
		{ParseOptions{}, ""}, {ParseOptions{MaxCells: 4}, ""}, {ParseOptions{MaxBytes: int64(len(src))}, ""},
		{ParseOptions{MaxCells: 3}, "4 cells (2 k × 2 seed): more than the limit of 3"},
		{ParseOptions{MaxBytes: int64(len(src)) - 1}, "more than the limit"},
	} {
		_, err := Parse("grid.yaml", src, c.opts)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, want %q", c.opts, err, c.err)
		}
	}
}

// TestLineEnds reads files as Windows editors write them.
func TestLineEnds(t *testing.T) {
	want := mustCells(t, small)
	windows := "\ufeff" + strings.ReplaceAll(small, "\n", "\r\n")
	if got := mustCells(t, windows); !reflect.DeepEqual(got, want) {
		t.Errorf("cells %v, want %v", got, want)
	}
	_, err := Parse("grid.yaml", []byte(strings.Replace(windows, "k: [8", "k: [0", 1)), ParseOptions{})
	if err == nil || err.Error() != "grid.yaml:3:18: parameters.k: 0 is less than 1" {
		t.Errorf("%v", err)
	}
}

const small = "name: small\ndata: {source: acts}\nparameters: {k: [8, 16], seed: [0, 1, 2]}\ntrain: {steps: 10, batch_size: 32}\n"

// mustCells reads a grid and expands it on the data of testInfo.
func mustCells(t *testing.T, src string) []Cell {
	t.Helper()
	g, err := Parse("grid.yaml", []byte(src), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cells, err := g.Cells(testInfo())
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

// TestDataUnknown expands over data without a width.
func TestDataUnknown(t *testing.T) {
	g, err := Parse("grid.yaml", []byte(small), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Cells(trainer.DataInfo{}); err == nil {
		t.Error("no error")
	}
}
