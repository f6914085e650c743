package trainer_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestResolve(t *testing.T) {
	c := trainer.Config{DictSize: 1 << 14, ActivationDim: 512}.Resolve()
	if c.LR != 2e-4 || c.KAux != 256 {
		t.Errorf("lr %v, k_aux %d, want 2e-4, 256", c.LR, c.KAux)
	}
	if c := (trainer.Config{DictSize: 64, LR: 0.1, KAux: 3}).Resolve(); c.LR != 0.1 || c.KAux != 3 {
		t.Errorf("given values were replaced: %+v", c)
	}
}

func TestLRAt(t *testing.T) {
	c := trainer.Config{LR: 2, Steps: 10, DecayStart: 6, WarmupSteps: 4}
	for step, want := range []float64{0, 0.5, 1, 1.5, 2, 2, 2, 1.5, 1, 0.5} {
		if got := c.LRAt(int64(step)); got != want {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
}

// With decay_start at steps, which is the word none, the learning rate stays constant.
func TestConstantLR(t *testing.T) {
	c := config(t, func(c *trainer.Config) { c.Recipe, c.LR, c.WarmupSteps, c.DecayStart = "upstream", 2, 2, c.Steps })
	for step := range int64(c.Steps) + 1 {
		want := 2.0
		if step < 2 {
			want = float64(step)
		}
		if got := c.LRAt(step); got != want {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
	for _, f := range trainer.Fields() {
		if got := f.Text(c); (got == "none") != (f.Key == "decay_start" || f.Key == "init") {
			t.Errorf("%s: %s", f.Key, got)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, x := range []struct {
		change func(*trainer.Config)
		key    string
	}{
		{func(c *trainer.Config) { c.K = 0 }, "k"},
		{func(c *trainer.Config) { c.K = c.DictSize + 1 }, "k"},
		{func(c *trainer.Config) { c.DecayStart = c.Steps + 1 }, "decay_start"},
		{func(c *trainer.Config) { c.DecayStart = -1 }, "decay_start"},
		{func(c *trainer.Config) { c.AuxKAlpha = -1 }, "auxk_alpha"},
		{func(c *trainer.Config) { c.AuxKAlpha = math.NaN() }, "auxk_alpha"},
		{func(c *trainer.Config) { c.LR = math.Inf(1) }, "lr"},
		{func(c *trainer.Config) { c.LR = -0.5 }, "lr"},
		{func(c *trainer.Config) { c.Recipe = "sparsify" }, "recipe"},
		{func(c *trainer.Config) { c.WarmupSteps = 3 }, "warmup_steps"},
		{func(c *trainer.Config) { c.ThresholdBeta = 1.5 }, "threshold_beta"},
		{func(c *trainer.Config) { c.Seed = -1 }, "seed"},
	} {
		c := config(t, nil)
		x.change(&c)
		errs := c.Validate()
		if len(errs) == 0 || errs[0].Key != x.key {
			t.Errorf("%s: got %v", x.key, errs)
		}
	}
}

// Every field of Config is a key of grid.yaml: its tags must say all that the
// parser, the docs and the results take from them.
func TestFields(t *testing.T) {
	var c trainer.Config
	fields := trainer.Fields()
	if n := reflect.TypeOf(c).NumField(); n != len(fields) {
		t.Fatalf("%d fields, Config has %d", len(fields), n)
	}
	for _, f := range fields {
		if f.Key == "" || f.Doc == "" || f.Key != strings.ToLower(f.Key) || (f.Default == "") != f.FromData {
			t.Errorf("field %+v lacks a tag", f)
		}
		var v any
		switch f.Kind {
		case trainer.Int:
			v = int64(3)
		case trainer.Float:
			v = 0.5
		case trainer.Word:
			v = f.Words[0]
		case trainer.File:
			v = strings.Repeat("0f", 32)
		}
		if f.Set(&c, v); f.Get(c) != v {
			t.Errorf("%s: set %v, got %v", f.Key, v, f.Get(c))
		}
		if err := f.Check(v); err != nil {
			t.Errorf("%s: %v", f.Key, err)
		}
	}
}

func TestInit(t *testing.T) {
	for _, r := range trainer.Recipes() {
		c := config(t, func(c *trainer.Config) { c.Recipe = r.Name; c.DictSize = 500 })
		s := trainer.Init(c)
		bound, drawn := 1/math.Sqrt(float64(c.ActivationDim)), s.W.WEnc
		if r.InitFromDecoder {
			bound = 1.01 // unit rows
		}
		var sum, top float64
		for _, v := range drawn {
			sum += float64(v)
			top = max(top, math.Abs(float64(v)))
		}
		if mean := sum / float64(len(drawn)); !(math.Abs(mean) <= 0.02) || !(top <= bound) {
			t.Errorf("%s: mean %v, largest %v, bound %v", r.Name, mean, top, bound)
		}
		for f := range c.DictSize {
			norm := 0.0
			for j := range c.ActivationDim {
				norm += float64(s.W.WDec[f*c.ActivationDim+j]) * float64(s.W.WDec[f*c.ActivationDim+j])
			}
			if !(math.Abs(norm-1) <= 1e-5) {
				t.Fatalf("%s: decoder row %d has squared norm %v", r.Name, f, norm)
			}
		}
		if reflect.DeepEqual(s.W.WEnc, s.W.WDec) != r.InitFromDecoder {
			t.Errorf("%s: encoder and decoder equal: %v", r.Name, !r.InitFromDecoder)
		}
		other := c
		other.Seed++
		if reflect.DeepEqual(s.W.WEnc, trainer.Init(other).W.WEnc) {
			t.Errorf("%s: two seeds draw the same weights", r.Name)
		}
	}
}

// A State takes what StateBytes says, counted from the slices themselves.
func TestStateBytes(t *testing.T) {
	c := config(t, nil)
	s, want := trainer.NewState(c), int64(0)
	for _, p := range []*trainer.Params{&s.W, &s.M, &s.V} {
		p.Each(c.ActivationDim, c.DictSize, func(_ string, _ []int, v []float32) { want += 4 * int64(len(v)) })
	}
	want += 8 * int64(len(s.SinceFired))
	if got := c.StateBytes(); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// -0 is 0: equal settings have equal JSON, whichever field holds the number.
func TestResolveZero(t *testing.T) {
	minus := config(t, nil)
	plus := minus
	for _, f := range trainer.Fields() {
		if f.Kind == trainer.Float {
			f.Set(&plus, 0.0)
			f.Set(&minus, math.Copysign(0, -1))
		}
	}
	a, err := json.Marshal(minus.Resolve())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(plus.Resolve())
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("-0: %s\n 0: %s", a, b)
	}
}
