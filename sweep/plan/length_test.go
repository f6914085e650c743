package plan

import (
	"strings"
	"testing"
)

// An axis of lengths stays one while the grid of every cell gives it. Else the axis is steps.
func TestExtendLengths(t *testing.T) {
	const head = "name: a\ndata: {source: acts}\n"
	const axis = head + "parameters: {tokens: [1000, 2000]}\ntrain: {batch_size: 100}\n"
	for add, want := range map[string]string{
		"train: {tokens: 4000, batch_size: 100}\n":                 "tokens 1000 2000 4000",
		"train: {steps: 40, batch_size: 100}\n":                    "steps 10 20 40",
		"parameters: {epochs: [1, 2]}\ntrain: {batch_size: 1e5}\n": "steps batch_size 10 100 20 100 10 100000 19 100000",
	} {
		p := planOf(t, axis, Estimates{})
		if _, err := p.Extend(planOf(t, head+add, Estimates{})); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.Axes, " ")
		for _, c := range p.Cells {
			got += " " + strings.Join(c.Values, " ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", add, got, want)
		}
	}
}
