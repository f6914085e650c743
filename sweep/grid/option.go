package grid

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// An option is one key of the sections data and run: the tables below are the
// only place that lists them, and docs/grid.md is checked against them.
type option struct {
	key      string
	fallback string // as it would be written; "" for none
	required bool
	doc      string
	set      func(*node) error // reads the value; nil for a map
	sub      []option          // the keys of a map
}

func dataOptions(d *trainer.DataSpec, s *trainer.Synthetic) []option {
	return []option{
		{key: "source", doc: "a directory, a glob or a file of activation shards, on local disks", set: text(&d.Source)},
		{key: "synthetic", doc: "instead of source: sparse sums of known directions", sub: syntheticOptions(s)},
		{key: "normalize", fallback: "none", doc: "none, or mean_square: scale the rows to unit mean squared norm", set: word(&d.Normalize, "none", "mean_square")},
		{key: "eval_tokens", fallback: "auto", doc: "rows held out for evaluation, never trained on", set: wholeOrAuto(&d.EvalTokens, 1, 1<<40)},
		{key: "lm_name", doc: "the language model, recorded in results and exports", set: text(&d.LMName)},
		{key: "layer", doc: "the layer of the activations, recorded", set: optional(&d.Layer, 0, 1<<20)},
		{key: "submodule_name", doc: "the place in the layer, recorded", set: text(&d.SubmoduleName)},
	}
}

func syntheticOptions(s *trainer.Synthetic) []option {
	return []option{
		{key: "activation_dim", required: true, doc: "width of a row", set: whole(&s.ActivationDim, 1, 1<<20)},
		{key: "directions", required: true, doc: "true directions; times activation_dim at most 2^31", set: whole(&s.Directions, 1, 1<<24)},
		{key: "tokens", required: true, doc: "rows", set: whole(&s.Tokens, 2, 1<<40)},
		{key: "active", required: true, doc: "mean number of directions in a row; more than 0", set: positive(&s.Active)},
		{key: "zipf", fallback: "1.0", doc: "direction i has a frequency in proportion to (i+1)^-zipf, 0 to 10", set: real(&s.Zipf, 10)},
		{key: "noise", fallback: "0", doc: "standard deviation of the Gaussian noise in each dimension", set: real(&s.Noise, math.MaxFloat32)},
		{key: "seed", fallback: "0", doc: "seed of directions and rows; parameters.seed is that of training", set: whole(&s.Seed, 0, 1<<62)},
	}
}

func runOptions(r *RunOptions) []option {
	return []option{
		{key: "max_concurrent", fallback: "8", doc: "runs at a time, if the workers have slots for them", set: whole(&r.MaxConcurrent, 1, 100_000)},
		{key: "max_failed", doc: "failed runs at which the sweep starts no more; without it there is no limit", set: whole(&r.MaxFailed, 1, 1<<40)},
		{key: "fail_fast", fallback: "false", doc: "start no more at the first failed run: max_failed 1", set: boolean(&r.FailFast)},
		{key: "checkpoint", doc: "how each run is saved", sub: []option{
			{key: "every", fallback: "5m", doc: "time between two checkpoints of a run, at least 1s", set: duration(&r.Checkpoint.Every, time.Second)},
			{key: "keep", fallback: "2", doc: "checkpoints of a run that are kept", set: whole(&r.Checkpoint.Keep, 1, 1000)},
		}},
		{key: "share_prefixes", fallback: "true", doc: "train what cells share once; results do not depend on it", set: boolean(&r.SharePrefixes)},
		{key: "reuse_results", fallback: "true", doc: "take a result that the store has, instead of training again", set: boolean(&r.ReuseResults)},
	}
}

// options reads the map n by a table of its keys.
func (p *parse) options(n *node, path string, table []option) {
	known := make([]string, len(table))
	for i, o := range table {
		known[i] = o.key
		if o.required && n.get(o.key) == nil {
			p.errorf(n.pos, join(path, o.key), "missing: %s", o.doc)
		}
	}
	for _, e := range n.entries {
		at := join(path, e.key)
		i := slices.Index(known, e.key)
		switch {
		case i < 0:
			p.unknown(e, path, known)
		case table[i].sub != nil:
			if e.value.kind != dict {
				p.wrong(e.value, at, "want a map")
				continue
			}
			p.options(e.value, at, table[i].sub)
		case e.value.kind != scalar:
			p.wrong(e.value, at, "want one value")
		default:
			if err := table[i].set(e.value); err != nil {
				p.errorf(e.value.pos, at, "%v", err)
			}
		}
	}
}

// setDefaults gives every option of a table its fallback.
func setDefaults(table []option) error {
	for _, o := range table {
		if err := setDefaults(o.sub); err != nil {
			return err
		}
		if o.fallback == "" {
			continue
		}
		if err := o.set(&node{kind: scalar, text: o.fallback}); err != nil {
			return fmt.Errorf("default of %s: %w", o.key, err)
		}
	}
	return nil
}

func text(to *string) func(*node) error {
	return func(n *node) error {
		if strings.TrimSpace(n.text) == "" {
			return errors.New("is empty")
		}
		*to = n.text
		return nil
	}
}

func word(to *string, words ...string) func(*node) error {
	return func(n *node) error {
		if !slices.Contains(words, n.text) {
			return fmt.Errorf("%q is not one of %s", n.text, strings.Join(words, ", "))
		}
		*to = n.text
		return nil
	}
}

func boolean(to *bool) func(*node) error {
	return func(n *node) error {
		b, err := strconv.ParseBool(n.text)
		if err != nil || n.quoted || len(n.text) < 4 {
			return fmt.Errorf("%q: want true or false", n.text)
		}
		*to = b
		return nil
	}
}

func whole[T int | int64](to *T, low, high int64) func(*node) error {
	return func(n *node) error {
		if n.quoted {
			return fmt.Errorf("%q is text: want a whole number, without quotes", n.text)
		}
		i, err := integer(n.text)
		switch {
		case errors.Is(err, errNotNumber):
			return fmt.Errorf("%q: want a whole number", n.text)
		case err != nil:
			return err
		case i < low:
			return fmt.Errorf("%d is less than %d", i, low)
		case i > high:
			return fmt.Errorf("%d is more than %d", i, high)
		}
		*to = T(i)
		return nil
	}
}

func wholeOrAuto(to *int64, low, high int64) func(*node) error {
	number := whole(to, low, high)
	return func(n *node) error {
		if n.text == "auto" {
			*to = 0
			return nil
		}
		return number(n)
	}
}

func optional(to **int, low, high int64) func(*node) error {
	return func(n *node) error {
		var i int
		err := whole(&i, low, high)(n)
		if err == nil {
			*to = &i
		}
		return err
	}
}

func real(to *float64, high float64) func(*node) error {
	return func(n *node) error {
		x, err := number(n.text)
		switch {
		case errors.Is(err, errNotNumber) || n.quoted:
			return fmt.Errorf("%q: want a number", n.text)
		case err != nil:
			return err
		case x < 0:
			return fmt.Errorf("%s is less than 0", n.text)
		case x > high:
			return fmt.Errorf("%s is more than %s", n.text, short(high))
		}
		*to = x
		return nil
	}
}

func positive(to *float64) func(*node) error {
	return func(n *node) error {
		if err := real(to, math.MaxFloat64)(n); err != nil {
			return err
		}
		if *to == 0 {
			return errors.New("0 is not greater than 0")
		}
		return nil
	}
}

func duration(to *time.Duration, low time.Duration) func(*node) error {
	return func(n *node) error {
		d, err := time.ParseDuration(n.text)
		if err != nil {
			return fmt.Errorf("%q: want a time with its unit, such as 90s, 5m or 1h", n.text)
		}
		if d < low {
			return fmt.Errorf("%s is less than %s", n.text, low)
		}
		*to = d
		return nil
	}
}
