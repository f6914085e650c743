package grid

import (
	"fmt"
	"math"

	"github.com/topksweep/sweep/trainer"
)

// A schema lists the fields of trainer.Config. A setting is a []value with one value for each of them.
type schema struct {
	fields []trainer.Field
	index  map[string]int // from a key to its index in fields
}

func newSchema() *schema {
	s := &schema{index: map[string]int{}}
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
	}
	return out
}

// defaults returns the setting of a grid that gives no field. A field that the data set has the value 0 in it.
func (s *schema) defaults() ([]value, error) {
	out := make([]value, len(s.fields))
	for i, f := range s.fields {
		if f.FromData {
			out[i].v = int64(0)
			continue
		}
		var err error
		if out[i], err = readValue(f, &node{kind: scalarNode, text: f.Default}); err != nil {
			return nil, fmt.Errorf("default of %s: %w", f.Key, err)
		}
	}
	return out, nil
}

// config resolves a setting. dim is the width of the data, or 0 while it is not known.
//
// Fractions need the field that they are a fraction of, so that they come second: with steps 1000 and decay_start 0.8,
// steps is set first, and then decay_start to round(0.8 · 1000) = 800.
func (s *schema) config(setting []value, dim int) trainer.Config {
	var c trainer.Config
	for i, f := range s.fields {
		if !setting[i].fraction {
			f.Set(&c, setting[i].v)
		}
	}
	for i, f := range s.fields {
		if setting[i].fraction {
			whole := s.fields[s.index[f.Fraction]].Get(c).(int64)
			f.Set(&c, int64(math.Round(setting[i].v.(float64)*float64(whole))))
		}
	}
	c.ActivationDim = dim
	return c.Resolve()
}
