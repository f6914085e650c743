package grid

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A value is what a grid gives for one field: a number or a word, the word auto,
// or a fraction of another field, which becomes a step once that is known.
type value struct {
	v        any    // int64, float64 or string, as trainer.Field.Get returns it; 0 for auto
	fraction bool   // v is a float64 in [0,1)
	text     string // as a reader sees it: the shortest form, equal for equal settings
	pos      position
	path     string // of the key that gives it; "" for a default
}

// readValue reads one scalar as a value of a field.
func readValue(f trainer.Field, n *node) (value, error) {
	out := value{pos: n.pos, text: n.text}
	if n.kind != scalar {
		return out, fmt.Errorf("%s is not a value: want %s", n.kind, wanted(f))
	}
	if f.Auto && n.text == "auto" {
		out.v = int64(0)
		if f.Kind == trainer.Float {
			out.v = 0.0
		}
		return out, nil
	}
	if f.Kind == trainer.Word {
		out.v = n.text
		return out, f.Check(n.text)
	}
	if n.quoted {
		return out, fmt.Errorf("%q is text: want %s, without quotes", n.text, wanted(f))
	}
	x, err := number(n.text)
	if errors.Is(err, errNotNumber) {
		return out, fmt.Errorf("%q: want %s", n.text, wanted(f))
	}
	if err != nil {
		return out, err
	}
	if f.Kind == trainer.Float {
		out.v, out.text = x, short(x)
		return out, f.Check(x)
	}
	if f.Fraction != "" && isFraction(n.text, x) {
		if !(x >= 0 && x < 1) {
			return out, fmt.Errorf("%s is not a fraction in [0, 1); a step is written without a decimal point", n.text)
		}
		// 'f' keeps the decimal point that makes it a fraction: 0.0, not 0.
		out.v, out.fraction, out.text = x, true, strconv.FormatFloat(x, 'f', -1, 64)
		if !strings.Contains(out.text, ".") {
			out.text += ".0"
		}
		return out, nil
	}
	i, err := integer(n.text)
	if err != nil {
		return out, err
	}
	out.v, out.text = i, strconv.FormatInt(i, 10)
	return out, f.Check(i)
}

// isFraction tells a fraction (0.8, 5e-1) from a step (800, 8e2).
func isFraction(text string, x float64) bool {
	if x != math.Trunc(x) {
		return true
	}
	return strings.Contains(text, ".") && !strings.ContainsAny(text, "eE")
}

// wanted says what a field takes, for an error message.
func wanted(f trainer.Field) string {
	switch {
	case f.Kind == trainer.Word:
		return "one of " + strings.Join(f.Words, ", ")
	case f.Fraction != "":
		return "a whole number or a fraction of " + f.Fraction + " in [0, 1)"
	case f.Kind == trainer.Int && f.Auto:
		return "a whole number or auto"
	case f.Kind == trainer.Int:
		return "a whole number"
	case f.Auto:
		return "a number or auto"
	}
	return "a number"
}

// A schema is the fields of trainer.Config that a grid may set.
type schema struct {
	fields []trainer.Field
	index  map[string]int
}

func newSchema() *schema {
	s := &schema{index: map[string]int{}}
	for _, f := range trainer.Fields() {
		s.index[f.Key] = len(s.fields)
		s.fields = append(s.fields, f)
	}
	return s
}

// defaults returns the value of every field that the grid does not give. The
// field that the data sets has none.
func (s *schema) defaults() ([]value, error) {
	out := make([]value, len(s.fields))
	for i, f := range s.fields {
		if f.FromData {
			out[i].v = int64(0)
			continue
		}
		var err error
		if out[i], err = readValue(f, &node{kind: scalar, text: f.Default}); err != nil {
			return nil, fmt.Errorf("default of %s: %w", f.Key, err)
		}
	}
	return out, nil
}

// config makes the resolved Config of a setting: one value for each field. dim
// is the width of the data, or 0 while it is not known.
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
