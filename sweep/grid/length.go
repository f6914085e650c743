package grid

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/topksweep/sweep/trainer"
)

// stepsKey is the field that says how long a run trains. The keys tokens and epochs are other ways to write it. A cell
// holds only steps, so that a run has one ID however its length is written.
const stepsKey = "steps"

// A length is another way to write steps.
type length struct {
	key  string
	kind valueKind
	takes,
	doc string
}

// lengths lists the other ways to write steps.
func lengths() []length {
	return []length{
		{"tokens", tokens, "integer, ≥ 1", "instead of steps: tokens to train on, in whole steps"},
		{"epochs", epochs, "number, > 0", "instead of steps: passes over the training rows, in whole steps"},
	}
}

// Lengths lists the keys that a grid may have instead of steps. Cell.Written has them where the grid does.
func Lengths() []string {
	var out []string
	for _, l := range lengths() {
		out = append(out, l.key)
	}
	return out
}

// fieldOf returns the key of the field that a key of a grid sets.
func fieldOf(key string) string {
	if slices.Contains(Lengths(), key) {
		return stepsKey
	}
	return key
}

// keyOf returns the key with which a grid gives a value of a field.
func keyOf(f trainer.Field, v value) string {
	for _, l := range lengths() {
		if v.kind == l.kind {
			return l.key
		}
	}
	return f.Key
}

// sameField returns an entry of a map that sets the field that key sets, or nil.
func (n *node) sameField(key string) *entry {
	for i := range n.entries {
		if fieldOf(n.entries[i].key) == fieldOf(key) {
			return &n.entries[i]
		}
	}
	return nil
}

// oneLength reports an entry of a map whose field another entry before it sets, and says whether there is none: steps,
// tokens and epochs exclude each other.
func (p *parser) oneLength(in *node, e entry, path string) bool {
	first := in.sameField(e.key)
	if first == nil || first.key == e.key {
		return true
	}
	p.errorf(e.pos, join(path, e.key), "%s is given too, in line %d: want one of steps, tokens and epochs",
		first.key, first.pos.line)
	return false
}

// readLength reads a number of tokens or epochs.
func readLength(key string, n *node) (value, error) {
	out := value{pos: n.pos, text: n.text}
	want := "a whole number"
	if key == "epochs" {
		want = "a number"
	}
	switch {
	case n.kind != scalarNode:
		return out, fmt.Errorf("%s is not a value: want %s", n.kind, want)
	case n.quoted:
		return out, fmt.Errorf("%q is text: want %s, without quotes", n.text, want)
	}
	x, err := parseFloat(n.text)
	if errors.Is(err, errNotNumber) {
		return out, fmt.Errorf("%q: want %s", n.text, want)
	}
	if err != nil {
		return out, err
	}
	if key == "epochs" {
		out.kind, out.text = epochs, formatFloat(x)
		if !(x > 0) {
			return out, fmt.Errorf("%s is not greater than 0", out.text)
		}
		exact, ok := new(big.Rat).SetString(out.text) // as it is written: the float64 of 0.07 is a little more
		if !ok {
			return out, errNotNumber
		}
		out.v = exact
		return out, nil
	}
	i, err := parseInt(n.text)
	if err != nil {
		return out, err
	}
	out.kind, out.v, out.text = tokens, i, fmt.Sprint(i)
	if i < 1 {
		return out, fmt.Errorf("%d is less than 1", i)
	}
	return out, nil
}

// manySteps stands for numbers of steps that are far too large for a run.
const manySteps = math.MaxInt32 * 1000

// stepsOf returns the steps of a length with a batch size, on data with so many training rows: the fewest whole steps
// that are no fewer tokens. It rounds up, so that a run trains on all that the grid asks for, and for one step at
// least. It is 0 for epochs while the rows are not known.
func (v value) stepsOf(batchSize int, rows int64) int64 {
	batch := int64(max(1, batchSize))
	if v.kind == tokens {
		return min((v.v.(int64)-1)/batch+1, manySteps)
	}
	if rows < 1 {
		return 0
	}
	steps := new(big.Rat).Mul(v.v.(*big.Rat), big.NewRat(rows, batch))
	whole, rest := new(big.Int).QuoRem(steps.Num(), steps.Denom(), new(big.Int))
	if !whole.IsInt64() || whole.Int64() >= manySteps {
		return manySteps
	}
	return whole.Int64() + int64(rest.Sign())
}

// unknownLength reports whether a setting has a length that cannot be resolved on the data: epochs while the number of
// its training rows is not known.
func (s *schema) unknownLength(setting []value, on dataSize) bool {
	return setting[s.index[stepsKey]].kind == epochs && on.trainRows < 1
}

// checkLength returns what is wrong with the steps of a setting that resolves to c, if tokens or epochs give them.
func (s *schema) checkLength(setting []value, c trainer.Config) *trainer.FieldError {
	i := s.index[stepsKey]
	v, f := setting[i], s.fields[i]
	if v.kind != tokens && v.kind != epochs || f.Check(int64(c.Steps)) == nil {
		return nil
	}
	steps := humanize.Comma(int64(c.Steps))
	if c.Steps >= manySteps {
		steps = "far too many"
	}
	return &trainer.FieldError{Key: stepsKey, Msg: fmt.Sprintf("%s %s are %s steps of batch_size %d: want at most %s",
		v.text, keyOf(f, v), steps, c.BatchSize, humanize.Comma(1_000_000_000))}
}

// lengthKey returns the key under which plans and tables have the length of the runs: that with which the grid gives
// it. Where the grid gives it with several, it is steps, and each cell has what its length comes to.
func (g *Grid) lengthKey() string {
	i := g.schema.index[stepsKey]
	var keys []string
	add := func(v value) { keys = append(keys, keyOf(g.schema.fields[i], v)) }
	axis := g.axisOf(i)
	if axis >= 0 {
		add(g.Axes[axis].values[0])
	}
	included := 0
	for _, in := range g.include {
		if at := slices.Index(in.fields, i); at >= 0 {
			add(in.values[at])
			included++
		}
	}
	if axis < 0 && (g.product() > 0 || included < len(g.include)) {
		add(g.base[i])
	}
	if slices.Sort(keys); len(slices.Compact(keys)) == 1 {
		return keys[0]
	}
	return stepsKey
}

// hasLength reports whether the steps of combinations of the axes are given as tokens or epochs.
func (g *Grid) hasLength() bool {
	i := g.schema.index[stepsKey]
	v := g.base[i]
	if axis := g.axisOf(i); axis >= 0 {
		v = g.Axes[axis].values[0]
	}
	return keyOf(g.schema.fields[i], v) != stepsKey
}
