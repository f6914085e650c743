package grid

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// A schema lists the fields of trainer.Config, and behind them the data set where the grid names sets. A setting is a
// []value with one value for each of them.
type schema struct {
	fields []trainer.Field
	index  map[string]int  // from a key to its index in fields
	inits  map[string]Init // what lies at the paths of init; nil until Grid.SetInits
	data   int             // index of the field that names a data set; -1: the grid names none

	normalizeInit bool // Grid.NormalizeInit
}

func newSchema() *schema {
	s := &schema{index: map[string]int{}, data: -1}
	for _, f := range trainer.Fields() {
		s.index[f.Key] = len(s.fields)
		s.fields = append(s.fields, f)
	}
	return s
}

// keys returns the keys that a grid may set.
func (s *schema) keys() []string {
	var out []string
	for _, f := range s.fields {
		if !f.FromData {
			out = append(out, f.Key)
		}
		if f.Key == stepsKey {
			out = append(out, Lengths()...)
		}
	}
	return out
}

// defaults returns the setting of a grid that gives no field. A field that the data set has the value 0 in it.
func (s *schema) defaults() ([]value, error) {
	out := make([]value, len(s.fields))
	for i, f := range s.fields {
		if f.FromData {
			out[i].v = int64(0)
		}
		if f.FromData || i == s.data { // nor has the data set a default
			continue
		}
		var err error
		if out[i], err = readValue(f, &node{kind: scalarNode, text: f.Default}); err != nil {
			return nil, fmt.Errorf("default of %s: %w", f.Key, err)
		}
	}
	return out, nil
}

// A dataSize is what settings need to know of the data. A number is 0 while it is not known.
type dataSize struct {
	dim       int   // width of a row
	trainRows int64 // that are not held out
}

func sizeOf(info trainer.DataInfo) dataSize { return dataSize{info.Dim, info.Rows - info.EvalRows} }

// config resolves a setting on data of a size.
//
// Fractions need the field that they are a fraction of, so that they come second: with steps 1000 and decay_start 0.8,
// steps is set first, and then decay_start to round(0.8 · 1000) = 800. A fraction is below 1, and so its step is one of
// the run, and none is the step after the last: 0.8 of 1 step is step 0, and none is 1. Tokens and epochs become steps
// before, with the batch size. Defaults come last.
func (s *schema) config(setting []value, on dataSize) trainer.Config {
	var c trainer.Config
	for i, f := range s.fields {
		if setting[i].kind == given && i != s.data {
			f.Set(&c, setting[i].v)
		}
	}
	s.applyInit(setting, &c)
	if v := setting[s.index[stepsKey]]; v.kind == tokens || v.kind == epochs {
		c.Steps = int(v.stepsOf(c.BatchSize, on.trainRows))
	}
	for i, f := range s.fields {
		if k := setting[i].kind; k != fraction && k != none {
			continue
		}
		step := s.fields[s.index[f.Fraction]].Get(c).(int64) // none
		if setting[i].kind == fraction {
			step = max(0, min(int64(math.Round(setting[i].v.(float64)*float64(step))), step-1))
		}
		f.Set(&c, step)
	}
	c.ActivationDim = on.dim
	return c.FitDefaults(func(key string) bool { return setting[s.index[key]].path == "" }).Resolve()
}

// check returns what is wrong with a setting that resolves to c: what trainer.Config.Validate says, a number that
// stands where c has the word none, and a model to begin from that does not fit. Of a setting whose dict_size is that
// of a model that is not read yet, nothing is said; nor of one whose steps are epochs of rows that are not counted yet.
func (s *schema) check(setting []value, c trainer.Config, on dataSize) []trainer.FieldError {
	if s.unknownLength(setting, on) {
		return nil
	}
	if err := s.checkLength(setting, c); err != nil {
		return []trainer.FieldError{*err}
	}
	if in, ok := s.initOf(setting); ok && in == nil && setting[s.index["dict_size"]].path == "" {
		return nil
	}
	errs := append(c.Validate(), s.checkInit(setting, c)...)
	if setting[s.index["decay_start"]].kind == given && c.DecayStart == c.Steps {
		errs = append(errs, c.OutsideRun())
	}
	return errs
}
